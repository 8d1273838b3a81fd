r"""One number for all that a run decoded, so that two runs can be compared to the bit.

SHA-256 over the outputs in order. Each one is

- ``P``, then the sample as int64, the number of probabilities as uint32, each probability as
  float64, the decision as text (empty: none), the cue's sample as int64 (-1: none); or
- ``C``, then the sample as int64, the number of values as uint32, each value as float64, as
  decoded, before any gate; or
- ``V``, then the same of a voice; or
- ``T``, then the sample and the item as int64, the text, one byte: 1 for final, plus 2 for the
  last of its utterance, the confidence as float64, its first and last sample as int64, the number
  of alternatives as uint32, and each one's text and confidence as float64; or
- ``A``, then the sample and the version's number as int64, and its hash as text.

Numbers are little-endian; a text is the number of its bytes as uint32, then UTF-8. Whoever reads
the messages of the WebSocket can compute the same: JSON and msgpack both keep every bit of a
float64.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Protocol

from decoders.output import Adapted, Command, Output, Prediction, Voice

__all__ = ["OutputHash"]


class Reading(Protocol):
    """Another reading of a token, or of its message."""

    @property
    def text(self) -> str:
        """What it says."""

    @property
    def confidence(self) -> float:
        """How likely it is."""


class Spoken(Reading, Protocol):
    """What a token and its message have in common."""

    @property
    def item(self) -> int:
        """Its number."""

    @property
    def is_final(self) -> bool:
        """It will not change any more."""

    @property
    def segment_final(self) -> bool:
        """The last of an utterance."""

    @property
    def alternatives(self) -> Sequence[Reading]:
        """What else it may be."""

    @property
    def first(self) -> int:
        """Where it begins."""

    @property
    def last(self) -> int:
        """Where it ends."""


class OutputHash:
    """Takes outputs in, one after the other."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def add(self, sample: int, output: Output) -> None:
        """Take in what a decoder said at `sample`."""
        if isinstance(output, Prediction):
            self.prediction(sample, output.probabilities, output.decision, output.cue_sample)
        elif isinstance(output, Command):
            self.command(sample, output.values)
        elif isinstance(output, Voice):
            self.voice(sample, output.values)
        elif isinstance(output, Adapted):
            self.version(sample, output.version, output.hash)
        else:
            self.token(sample, output)

    def prediction(
        self,
        sample: int,
        probabilities: Sequence[float],
        decision: str | None,
        cue_sample: int | None,
    ) -> None:
        """Take in a prediction, or the fields of its message."""
        self._sha256.update(_numbers(b"P", sample, probabilities))
        self._sha256.update(_text(decision or ""))
        self._sha256.update(struct.pack("<q", -1 if cue_sample is None else cue_sample))

    def command(self, sample: int, values: Sequence[float]) -> None:
        """Take in a command's values, or the field ``decoded`` of its message."""
        self._sha256.update(_numbers(b"C", sample, values))

    def voice(self, sample: int, values: Sequence[float]) -> None:
        """Take in the values of a voice, or of its message."""
        self._sha256.update(_numbers(b"V", sample, values))

    def token(self, sample: int, token: Spoken) -> None:
        """Take in a token, or its message."""
        self._sha256.update(b"T" + struct.pack("<qq", sample, token.item) + _text(token.text))
        marks = token.is_final + 2 * token.segment_final
        others = token.alternatives
        self._sha256.update(
            struct.pack("<BdqqI", marks, token.confidence, token.first, token.last, len(others))
        )
        for other in others:
            self._sha256.update(_text(other.text) + struct.pack("<d", other.confidence))

    def version(self, sample: int, number: int, hash_: str) -> None:
        """Take in a change of version, or the fields of its message."""
        self._sha256.update(b"A" + struct.pack("<qq", sample, number) + _text(hash_))

    def hexdigest(self) -> str:
        """Return the hash of all that was taken in so far."""
        return self._sha256.hexdigest()


def _numbers(kind: bytes, sample: int, values: Sequence[float]) -> bytes:
    return kind + struct.pack(f"<qI{len(values)}d", sample, len(values), *values)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<I", len(raw)) + raw
