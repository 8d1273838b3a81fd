"""When an utterance begins and ends: by the silence that the network itself reports."""

from __future__ import annotations

from typing import Literal

__all__ = ["Silence"]

_LOUD = 0.5


class Silence:
    """Follows step by step whether somebody speaks.

    An utterance begins with the first step at which phonemes are likelier than blank and boundary
    together, and ends with `pause` steps in a row that are as good as certainly silent.

    Parameters
    ----------
    pause
        How many silent steps end an utterance.
    bound
        How likely blank or boundary are in a silent step.
    """

    def __init__(self, pause: int, bound: float) -> None:
        self._pause, self._bound = pause, bound
        self.speaks = False
        self._silent = 0

    def __call__(self, quiet: float) -> Literal["silent", "begins", "goes on", "ends"]:
        """Take in one step's probability of blank or boundary."""
        if not self.speaks:
            if quiet > _LOUD:
                return "silent"
            self.speaks, self._silent = True, 0
            return "begins"
        self._silent = self._silent + 1 if quiet >= self._bound else 0
        if self._silent < self._pause:
            return "goes on"
        self.speaks = False
        return "ends"

    def cut(self) -> None:
        """End the utterance now, whatever is heard."""
        self.speaks = False
