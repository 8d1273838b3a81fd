"""Command-line options made from a recipe: one for each field of its dataclass.

So a device that somebody adds has its options and its ``--help`` without a line more.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from bci_server.cli.outcome import CommandError

__all__ = ["documented_fields", "recipe_parameters", "recipe_with", "summary_of"]

_PLAIN = (int, float, str, bool, Path)


def recipe_parameters(recipe: type) -> list[inspect.Parameter]:
    """Return a command's parameters for the fields of `recipe`.

    A field without a default is an argument, the others are options: ``n_channels`` is
    ``--n-channels``. A tuple is written with commas. A field of another kind (a table, a nested
    recipe) is left to the session file.
    """
    hints = get_type_hints(recipe)
    helps = documented_fields(recipe)
    return [
        _parameter(field, hints[field.name], helps.get(field.name, ""))
        for field in dataclasses.fields(recipe)
        if field.init and _is_option(hints[field.name])
    ]


def recipe_with(recipe: type, given: dict[str, Any]) -> Any:
    """Return a `recipe` made of what was `given` on the command line.

    Raises
    ------
    CommandError
        A value is not one that its field can have.
    """
    hints = get_type_hints(recipe)
    values = {name: _value(name, hints[name], value) for name, value in given.items()}
    try:
        return recipe(**values)
    except ValueError as error:
        raise CommandError(str(error)) from error


def summary_of(thing: object) -> str:
    """Return the first line of the documentation of `thing`."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def documented_fields(recipe: type) -> dict[str, str]:
    """Return what the docstrings' sections *Parameters* (numpydoc) say of each field.

    Those of the classes that it derives from count too.
    """
    helps: dict[str, str] = {}
    for each in reversed(recipe.__mro__):
        helps |= _documented(inspect.cleandoc(each.__doc__ or ""))
    return helps


def _documented(text: str) -> dict[str, str]:
    section = re.search(
        r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)",
        text,
        re.MULTILINE | re.DOTALL,
    )
    helps: dict[str, str] = {}
    names: list[str] = []
    for line in section.group(1).splitlines() if section else ():
        if line[:1].strip():
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
        elif line.strip():
            for name in names:
                helps[name] = f"{helps.get(name, '')} {line.strip()}".strip()
    return helps


def _is_option(hint: Any) -> bool:
    kind, is_many = _kind(hint)
    return kind in _PLAIN or (get_origin(kind) is Literal and not is_many)


def _kind(hint: Any) -> tuple[Any, bool]:
    """Return the type without None, and whether it is a tuple of any length of that type."""
    if get_origin(hint) in (types.UnionType, typing.Union):
        rest = [a for a in get_args(hint) if a is not types.NoneType]
        # "A name or a number" is read as a text, and as a number if it is one.
        hint = rest[0] if len(rest) == 1 else str if set(rest) == {str, int} else hint
    if get_origin(hint) is tuple and get_args(hint)[1:] == (Ellipsis,):
        return get_args(hint)[0], True
    return hint, False


def _parameter(field: dataclasses.Field[Any], hint: Any, help_text: str) -> inspect.Parameter:
    kind, is_many = _kind(hint)
    text = help_text.replace("``", "").replace("`", "")
    default = _default(field)
    if is_many:
        text = f"{text} Several: with commas.".strip()
        kind = str
        default = ",".join(map(str, default)) if default else ""
    if default is inspect.Parameter.empty:
        info: Any = typer.Argument(help=text)
    else:
        info = typer.Option(*_names(field.name), help=text)
        kind = kind | None if default is None else kind
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, info],
    )


def _names(field_name: str) -> tuple[str, ...]:
    name = f"--{field_name.replace('_', '-')}"
    return (
        (name, name.removesuffix("-s")) if name.count("-") == 3 and name[-2:] == "-s" else (name,)
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty


def _value(name: str, hint: Any, given: Any) -> Any:
    kind, is_many = _kind(hint)
    if kind is str and int in get_args(hint) and str(given).isdecimal():
        return int(given)
    if not is_many:
        return given
    convert: Callable[[str], Any] = kind
    try:
        return tuple(convert(part.strip()) for part in given.split(",") if part.strip())
    except ValueError as error:
        raise CommandError(
            f"--{name.replace('_', '-')} takes {kind.__name__} values with commas between them, "
            f"not {given!r}"
        ) from error
