"""How many samples really come each second."""

from __future__ import annotations

from collections import deque

__all__ = ["RateMeter"]


class RateMeter:
    """Counts over the last seconds.

    Parameters
    ----------
    start_s
        Now, in seconds.
    window_s
        How far back it counts.
    """

    def __init__(self, start_s: float, window_s: float = 5.0) -> None:
        self._step_s = window_s / 10
        self._marks: deque[tuple[float, int]] = deque([(start_s, 0)], maxlen=11)
        self._n = 0

    def feed(self, n_samples: int, now_s: float) -> None:
        """Count `n_samples` that have come by now."""
        self._n += n_samples
        if now_s - self._marks[-1][0] >= self._step_s:
            self._marks.append((now_s, self._n))

    def rate_hz(self, now_s: float) -> float:
        """Return samples a second over the window; 0 during the first second."""
        start_s, n_before = self._marks[0]
        if now_s - start_s < 1.0:
            return 0.0
        return (self._n - n_before) / (now_s - start_s)
