"""Samples that a recording lacks, kept in mind until its file says so."""

from __future__ import annotations

from bci_server.recording.items import Lost
from decoders.decoder import Event
from devices.signal import Marker

__all__ = ["MOST_WAITING", "Loss"]

MOST_WAITING = 200_000
"""Markers, events and items of other kinds that wait for the disk, at most."""


class Loss:
    """Samples on end that could not be recorded; what was marked meanwhile is kept.

    Attributes
    ----------
    n_samples
        How many.
    """

    def __init__(self) -> None:
        self.n_samples = 0
        self._first = 0
        self._markers: list[Marker] = []
        self._marks: list[Event] = []

    def add(
        self,
        first: int,
        n_samples: int,
        markers: tuple[Marker, ...],
        marks: tuple[Event, ...],
    ) -> None:
        """Note that `n_samples` from `first` on are lost."""
        self._first = self._first if self.n_samples else first
        self.n_samples += n_samples
        if len(self._markers) + len(self._marks) < MOST_WAITING:
            self._markers.extend(markers)
            self._marks.extend(marks)

    def item(self, now_s: float, why: str) -> Lost:
        """Return it as the file says it."""
        markers, marks = tuple(self._markers), tuple(self._marks)
        return Lost(self._first, self.n_samples, now_s, why, markers, marks)

    def clear(self) -> None:
        """Forget it: the file says so now."""
        self.n_samples = 0
        self._markers, self._marks = [], []
