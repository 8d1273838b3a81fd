"""What a decoder said, line by line: the same outputs give the same bytes, and the same hash.

One line for each block that has outputs, as JSON: ``{"sample": 499, "outputs": [{"type":
"prediction", "labels": …}]}``. Floats are written so that reading them gives the same bits; those
that are not finite are ``null``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from decoders.output import Adapted, Command, Output, Prediction, Token, Voice

__all__ = ["Transcript", "parse_line", "plain_number"]

_TYPES: dict[str, type[Output]] = {
    "prediction": Prediction,
    "command": Command,
    "voice": Voice,
    "token": Token,
    "adapted": Adapted,
}


class Transcript:
    """Writes lines, and adds them up to a hash.

    The hash of a live session, of its replay, and of an evaluation of its recording are equal if
    and only if the decoder said the same, to the bit, of the same samples.
    """

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._hash = hashlib.sha256()

    def add(self, sample: int, outputs: Sequence[Output]) -> str:
        """Take in what was said of the block that ends with `sample`; return its line.

        A block of which nothing was said has no line: the result is empty.
        """
        if not outputs:
            return ""
        listed = [
            {
                "type": type(output).__name__.lower(),
                **msgspec.to_builtins(output, enc_hook=plain_number),
            }
            for output in outputs
        ]
        line = self._encode({"sample": sample, "outputs": listed})
        self._hash.update(line + b"\n")
        return line.decode()

    def add_line(self, line: str) -> None:
        """Take in a line that another transcript gave."""
        self._hash.update(line.encode() + b"\n")

    @property
    def sha256(self) -> str:
        """The hash of all lines so far, in hex digits."""
        return self._hash.hexdigest()


def plain_number(value: Any) -> Any:
    """Return what JSON can hold for a number of numpy's; for encoders that know only Python's."""
    # numpy's float64 is a float to Python, so decoders may well put it out.
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"an output cannot hold a {type(value).__name__}")


def parse_line(line: str) -> tuple[int, tuple[Output, ...]]:
    """Return the sample and the outputs of a line.

    Raises
    ------
    msgspec.DecodeError
        It is no such line.
    """
    document: dict[str, Any] = msgspec.json.decode(line)
    try:
        outputs = tuple(
            msgspec.convert({k: v for k, v in o.items() if k != "type"}, _TYPES[o["type"]])
            for o in document["outputs"]
        )
        return int(document["sample"]), outputs
    except (KeyError, TypeError) as e:
        raise msgspec.DecodeError(f"not a line of a transcript: {line[:80]!r}") from e
