"""A recipe as text, and back: how a process tells another one what to fit."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import msgspec

from decoders.describe import describe

__all__ = ["RecipeText"]


class RecipeText(msgspec.Struct, frozen=True):
    """Where a recipe's class is, and its keys."""

    module: str
    name: str
    keys: dict[str, Any]

    @classmethod
    def of(cls, recipe: Any) -> RecipeText:
        """Describe a recipe."""
        keys = {name: value for name, value in describe(recipe).items() if name != "kind"}
        return cls(type(recipe).__module__, type(recipe).__qualname__, keys)

    def recipe(self) -> Any:
        """Return the recipe."""
        return msgspec.convert(self.keys, getattr(import_module(self.module), self.name))
