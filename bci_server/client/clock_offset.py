"""How far the server's clock is from this machine's. Pure."""

from __future__ import annotations

from collections import deque

__all__ = ["ClockOffset"]


class ClockOffset:
    """Estimates the offset of the server's monotonic clock from answers to pings.

    Of the newest pings, the one that was answered fastest counts: the error is at most half of
    its round trip (Cristian, 1989).

    Parameters
    ----------
    n
        How many pings are remembered.
    """

    def __init__(self, n: int = 16) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=n)

    def add(self, sent_s: float, server_s: float, received_s: float) -> None:
        """Take in one answered ping; the server's clock said `server_s` in between."""
        self._seen.append((received_s - sent_s, server_s - (sent_s + received_s) / 2))

    def clear(self) -> None:
        """Forget everything: it may be another clock now."""
        self._seen.clear()

    @property
    def offset_s(self) -> float:
        """Server's clock minus this one's, in seconds; 0 before the first answer."""
        return min(self._seen)[1] if self._seen else 0.0

    @property
    def error_s(self) -> float:
        """How far off `offset_s` is at most, in seconds; infinite before the first answer."""
        return min(self._seen)[0] / 2 if self._seen else float("inf")
