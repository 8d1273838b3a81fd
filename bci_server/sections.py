"""Sections of a session file become recipes; what is wrong with them is collected, with lines."""

from __future__ import annotations

import dataclasses
import re
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from bci_server.catalog import did_you_mean

__all__ = ["Problems", "Section", "build"]

T = TypeVar("T")

_HEADER = re.compile(r"\s*\[\[?\s*([\w.-]+)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"\s*([\w-]+)(?:\.[\w.-]+)?\s*=")


@dataclass(frozen=True, slots=True)
class Section:
    """Where something stands: a section, or one of a list of sections, counted from 0."""

    name: str
    index: int | None = None

    def __str__(self) -> str:
        return f"[{self.name}]" if self.index is None else f"[[{self.name}]] no. {self.index + 1}"


class Problems:
    """Collects what is wrong with one document.

    Parameters
    ----------
    text
        The document, in which lines are looked up.
    """

    def __init__(self, text: str) -> None:
        self._lines = _find_lines(text)
        self._found: list[str] = []

    @property
    def found(self) -> tuple[str, ...]:
        """Everything that was added, in order."""
        return tuple(self._found)

    def add(self, section: Section, what: str, key: str = "") -> None:
        """Say that something is wrong in `section`, at its `key`."""
        at = (section.name, section.index or 0)
        line = self._lines.get((*at, key)) or self._lines.get((*at, ""))
        line = line or self._lines.get(("", 0, section.name))
        where = f"{section}, line {line}" if line else str(section)
        self._found.append(f"{where}: {what}")


def build(recipe: type[T], table: dict[str, Any], section: Section, problems: Problems) -> T | None:
    """Make the recipe that `table` describes; None, and problems, where it does not.

    Types are the recipe's own: whole numbers pass for real ones, nothing else is converted.
    """
    assert dataclasses.is_dataclass(recipe)
    before = len(problems.found)
    fields = {f.name: f for f in dataclasses.fields(recipe) if f.init}
    hints = typing.get_type_hints(recipe)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields:
            guess = did_you_mean(key, tuple(fields))
            known = ", ".join(fields) or "none"
            problems.add(section, f"unknown key {key!r}{guess} Known: {known}", key)
            continue
        if _is_built(value):
            values[key] = value
            continue
        try:
            values[key] = msgspec.convert(value, hints[key])
        except msgspec.ValidationError as e:
            problems.add(section, f"{key} = {value!r}: {_plain(str(e))}", key)
    for name, f in fields.items():
        if name not in table and _is_required(f):
            problems.add(section, f"{name} is missing")
    if len(problems.found) > before:
        return None
    try:
        return recipe(**values)
    except ValueError as e:
        problems.add(section, str(e))
        return None


def _is_built(value: Any) -> bool:
    """Say whether a value is a recipe within the recipe, built already, or a list of some."""
    if isinstance(value, list):
        return bool(value) and all(dataclasses.is_dataclass(each) for each in value)
    return dataclasses.is_dataclass(value)


def _is_required(f: dataclasses.Field[Any]) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _plain(message: str) -> str:
    message = message.replace("`", "").replace("$", "").replace(" - at ", " at ")
    words = {"float": "a number", "int": "a whole number", "str": "a text", "bool": "true or false"}
    words |= {"array": "a list", "object": "a table", "null": "nothing"}
    return re.sub(r"\b(float|int|str|bool|array|object|null)\b", lambda m: words[m[0]], message)


def _find_lines(text: str) -> dict[tuple[str, int, str], int]:
    """Return the line of each (section, index, key); the header's own key is empty."""
    lines: dict[tuple[str, int, str], int] = {}
    section, index = "", 0
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = header[1]
            index = counts.get(section, 0)
            counts[section] = index + 1
            lines[section, index, ""] = number
        elif key := _KEY.match(line):
            lines.setdefault((section, index, key[1]), number)
    return lines
