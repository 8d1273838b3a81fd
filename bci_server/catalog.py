"""Finds plug-ins by kind, without importing those that are not used.

In this tree the name of the file is the kind: ``devices/adapters/lsl.py`` is the device ``lsl``. A
module whose name begins with an underscore, and a package, is none. Other distributions add kinds
with entry points, in the groups ``bci_server.devices``, ``bci_server.stages``,
``bci_server.decoders`` and ``bci_server.rules``; an entry point names a module or the recipe
itself. A kind of this tree cannot be replaced from outside.

Errors::

    UnknownKind      nothing of that kind; says what there is
    BrokenPlugin     there is one, but it cannot be used: does not import, exports no one recipe
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.metadata
import importlib.util
import pkgutil
from types import ModuleType
from typing import Any, Literal

__all__ = ["BrokenPlugin", "Group", "UnknownKind", "did_you_mean", "kinds", "load"]

Group = Literal["devices", "stages", "decoders", "rules"]

_PACKAGES: dict[Group, str] = {
    "devices": "devices.adapters",
    "stages": "decoders.features",
    "decoders": "decoders.models",
    "rules": "decoders.adapting.rules",
}


class UnknownKind(Exception):
    """There is no plug-in of that kind; the message lists what there is."""


class BrokenPlugin(Exception):
    """The plug-in is there but cannot be used; the message says why."""


def kinds(group: Group) -> tuple[str, ...]:
    """Return every kind of `group` that is installed, sorted; imports none of them."""
    return tuple(sorted({*_own(group), *(e.name for e in _foreign(group))}))


def load(group: Group, kind: str) -> type[Any]:
    """Import the plug-in and return its recipe: the one dataclass that it exports.

    Raises
    ------
    UnknownKind
        No such kind.
    BrokenPlugin
        It does not import (an optional library is missing), or it exports no one recipe.
    """
    if kind in _own(group):
        return _recipe(_import(f"{_PACKAGES[group]}.{kind}", kind), kind)
    found = [e for e in _foreign(group) if e.name == kind]
    if not found:
        raise UnknownKind(_unknown(group, kind))
    if len(found) > 1:
        whose = " and ".join(sorted(e.value for e in found))
        raise BrokenPlugin(f"two packages bring the kind {kind!r}: {whose}; remove one of them")
    module, _, name = found[0].value.partition(":")
    plugin = _import(module, kind)
    return getattr(plugin, name) if name else _recipe(plugin, kind)


def did_you_mean(word: str, known: tuple[str, ...]) -> str:
    """Return ``"; did you mean 'x'?"``, or a full stop where nothing is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "."


def _own(group: Group) -> list[str]:
    spec = importlib.util.find_spec(_PACKAGES[group])
    places = spec.submodule_search_locations if spec is not None else None
    return [
        m.name for m in pkgutil.iter_modules(places) if not m.ispkg and not m.name.startswith("_")
    ]


def _foreign(group: Group) -> tuple[importlib.metadata.EntryPoint, ...]:
    return tuple(importlib.metadata.entry_points(group=f"bci_server.{group}"))


def _unknown(group: Group, kind: str) -> str:
    known = kinds(group)
    there = ", ".join(known) if known else "none"
    return f"there is no {group[:-1]} of kind {kind!r}{did_you_mean(kind, known)} There is: {there}"


def _import(module: str, kind: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as e:
        raise BrokenPlugin(f"the kind {kind!r} cannot be used here: {e}") from e


def _recipe(module: ModuleType, kind: str) -> type[Any]:
    exported = [getattr(module, name) for name in getattr(module, "__all__", ())]
    recipes = [o for o in exported if isinstance(o, type) and dataclasses.is_dataclass(o)]
    if len(recipes) != 1:
        names = ", ".join(r.__name__ for r in recipes) or "none"
        raise BrokenPlugin(
            f"the kind {kind!r} ({module.__name__}) must export one recipe, a dataclass, in "
            f"__all__; it exports {names}"
        )
    return recipes[0]
