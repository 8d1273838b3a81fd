"""Sections become the recipes that they name: plug-ins by their kind, others by their name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

from bci_server import catalog
from bci_server.sections import Problems, Section, build
from decoders.decoder import Decoder
from decoders.describe import stated
from decoders.stage import Chain, Stage

__all__ = ["of_kind", "plugin_of", "recipe_of", "stages_of", "table_of"]

T = TypeVar("T")


def table_of(document: Mapping[str, Any], name: str, problems: Problems) -> dict[str, Any] | None:
    """Return a copy of the section of that name; None where it is missing or no section."""
    if name not in document:
        return None
    if not isinstance(document[name], dict):
        problems.add(Section(name), f"must be a section: [{name}]")
        return None
    return dict(document[name])


def recipe_of(
    document: Mapping[str, Any],
    name: str,
    recipe: type[T],
    problems: Problems,
    required: bool = False,
) -> T | None:
    """Return the recipe that the section of that name is; None where it is missing or wrong."""
    if required and name not in document:
        problems.add(Section(name), "the section is missing")
    table = table_of(document, name, problems)
    return None if table is None else build(recipe, table, Section(name), problems)


def plugin_of(
    document: Mapping[str, Any], name: str, group: catalog.Group, problems: Problems
) -> Any:
    """Return the plug-in of a group that the section of that name describes; it must be there."""
    if name not in document:
        problems.add(Section(name), "the section is missing")
    table = table_of(document, name, problems)
    return None if table is None else of_kind(table, group, Section(name), problems)


def of_kind(
    table: dict[str, Any], group: catalog.Group, section: Section, problems: Problems
) -> Any:
    """Return the plug-in that a table describes, found by its ``kind``; None where it is wrong."""
    kind = table.pop("kind", None)
    if not isinstance(kind, str):
        known = ", ".join(catalog.kinds(group))
        problems.add(section, f"needs a kind, one of: {known}")
        return None
    try:
        recipe = catalog.load(group, kind)
    except (catalog.UnknownKind, catalog.BrokenPlugin) as e:
        problems.add(section, str(e), "kind")
        return None
    for key, hint in get_type_hints(recipe).items():
        if hint is Decoder and isinstance(table.get(key), dict):
            within = Section(f"{section.name}.{key}")
            table[key] = of_kind(stated(table[key]), "decoders", within, problems)
            if table[key] is None:
                return None
        if hint == Sequence[Chain] and isinstance(table.get(key), list):
            table[key] = [Chain(stages_of(chain, problems)) for chain in table[key]]
    return build(recipe, table, section, problems)


def stages_of(tables: object, problems: Problems) -> tuple[Stage, ...]:
    """Return the stages that a list of tables describes."""
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        problems.add(Section("stages"), "stages are a list: begin each with [[stages]]")
        return ()
    return tuple(
        of_kind(dict(table), "stages", Section("stages", i), problems)
        for i, table in enumerate(tables)
    )
