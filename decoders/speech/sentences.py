"""Cued sentences: which rows belong to which, and what was to be said.

A recording of speech has a marker with the text where a sentence begins, and one where it ends::

    say:I would like some water        said
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from devices.signal import Event

__all__ = ["Sentence", "Sentences"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was to be said, and the samples in which it was: `first` to `last`, both included."""

    text: str
    first: int
    last: int


@dataclass(frozen=True)
class Sentences:
    """The ``[sentences]`` section of the session file.

    Parameters
    ----------
    begin
        A marker that begins with this begins a sentence; the rest of it is the text.
    end
        The marker that ends it.
    after_s
        So much after the end still counts: what was said last is decoded a little later.
    longest_s
        A sentence without an end after so long is none.
    """

    begin: str = "say:"
    end: str = "said"
    after_s: float = 0.3
    longest_s: float = 60.0

    def __post_init__(self) -> None:
        if not self.begin or not self.end or self.end.startswith(self.begin):
            raise ValueError(
                "sentences need a beginning and an end that differ; they have begin = "
                f"{self.begin!r}, end = {self.end!r}"
            )
        if not self.after_s >= 0 or not self.longest_s > 0:
            raise ValueError(
                "sentences need after_s >= 0 and longest_s > 0; they have after_s = "
                f"{self.after_s}, longest_s = {self.longest_s}"
            )

    def of(self, events: Iterable[Event], rate_hz: float) -> list[Sentence]:
        """Return the whole sentences among `events`, in order."""
        found: list[Sentence] = []
        begun: Event | None = None
        for event in sorted(events, key=lambda e: e.sample):
            if event.kind != "marker":
                continue
            if event.label.startswith(self.begin):
                begun = event
            elif event.label == self.end and begun is not None:
                if event.sample - begun.sample <= self.longest_s * rate_hz:
                    last = event.sample + round(self.after_s * rate_hz)
                    text = begun.label.removeprefix(self.begin).strip()
                    found.append(Sentence(text, begun.sample, last))
                begun = None
        return found
