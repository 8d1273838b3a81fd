"""What a session file leaves open in a decoder: chosen where it is fitted, and kept in the model.

A key that is ``"auto"`` has a value in every model: the one that suited the rows it was fitted on.
With that value the model decodes, whatever would be chosen today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Protocol, runtime_checkable

from decoders.decoder import Decoder
from decoders.describe import describe
from devices.signal import Signal

__all__ = ["AUTO", "Choosing", "as_fitted", "choices", "chosen"]

AUTO = "auto"


@runtime_checkable
class Choosing(Decoder, Protocol):
    """A decoder with keys that may be left open."""

    def chosen(self, signal: Signal) -> Decoder:
        """Return it with each key as it suits rows of `signal`; what was set stays."""


def chosen(decoder: Decoder, signal: Signal) -> Decoder:
    """Return `decoder` with nothing left open, to be fitted on rows of `signal`."""
    return decoder.chosen(signal) if isinstance(decoder, Choosing) else decoder


def as_fitted(decoder: Decoder, fitted: Mapping[str, Any]) -> Decoder:
    """Return `decoder` with what it leaves open as a model has it.

    Parameters
    ----------
    decoder
        As the session file has it.
    fitted
        The model's, as `decoders.describe.describe` gives it.
    """
    if not isinstance(decoder, Choosing) or describe(decoder)["kind"] != fitted["kind"]:
        return decoder
    recipe: Any = decoder
    keys = {}
    for field in fields(recipe):
        mine, theirs = getattr(recipe, field.name), fitted.get(field.name)
        if mine == AUTO and theirs is not None:
            keys[field.name] = theirs
        elif isinstance(mine, Choosing) and isinstance(theirs, Mapping):
            keys[field.name] = as_fitted(mine, theirs)
    filled: Decoder = replace(recipe, **keys)
    return filled


def choices(decoder: Decoder, fitted: Mapping[str, Any]) -> dict[str, Any]:
    """Return which values a model has for keys that its session leaves open, by their names."""
    return _differing(describe(decoder), describe(as_fitted(decoder, fitted)))


def _differing(left_open: Mapping[str, Any], filled: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in filled.items():
        if isinstance(value, Mapping):
            within = _differing(left_open[name], value)
            found |= {f"{name}.{key}": chosen for key, chosen in within.items()}
        elif value != left_open[name]:
            found[name] = value
    return found
