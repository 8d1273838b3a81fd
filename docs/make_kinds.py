"""Writes docs/kinds.md: the keys of every kind of device, stage, decoder and rule.

Run it after a kind changed: ``python docs/make_kinds.py``.
"""

import dataclasses
import inspect
from pathlib import Path
from typing import Any, get_args, get_type_hints

from bci_server import catalog
from bci_server.cli.recipe_options import documented_fields, summary_of

_TITLES: dict[catalog.Group, str] = {
    "devices": "Devices: `[device]`",
    "stages": "Stages: `[[stages]]`",
    "decoders": "Decoders: `[decoder]`",
    "rules": "Rules: `[[adaptation.rules]]`",
}


def page() -> str:
    """Return the page."""
    parts = [
        "# Kinds",
        "Every kind of device, stage, decoder and rule of adaptation that comes with bci-server, "
        "and its keys in the [session file](session-file.md). Made from the code by "
        "`docs/make_kinds.py`.",
    ]
    for group in get_args(catalog.Group):
        parts.append(f"## {_TITLES[group]}")
        for kind in catalog.kinds(group):
            parts += _kind(kind, catalog.load(group, kind))
    return "\n\n".join(parts) + "\n"


def _kind(kind: str, recipe: type[Any]) -> list[str]:
    helps, hints = documented_fields(recipe), get_type_hints(recipe)
    rows = [
        f"| `{f.name}` | {_type(hints[f.name])} | {_default(f)} | {_cell(helps.get(f.name, ''))} |"
        for f in dataclasses.fields(recipe)
        if f.init
    ]
    table = "\n".join(["| key | type | default | |", "|---|---|---|---|", *rows])
    return [f"### `{kind}`", summary_of(recipe), *([table] if rows else [])]


def _type(hint: Any) -> str:
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    for word in (
        "typing.",
        "collections.abc.",
        "devices.discovery.",
        "decoders.stage.",
        "pathlib.",
    ):
        text = text.replace(word, "")
    return f"`{text}`".replace("|", "\\|")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"`{field.default!r}`"
    if field.default_factory is not dataclasses.MISSING:
        return "empty"
    return "**needed**"


def _cell(text: str) -> str:
    return inspect.cleandoc(text).replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    Path(__file__).with_name("kinds.md").write_text(page(), encoding="utf-8")
