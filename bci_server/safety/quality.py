"""Whether channels carry a signal at all: a flat one is dead, or its amplifier at its rail.

What a block shows counts for the next: it is looked at after its command has gone out, so that
nobody waits for it, and a channel must be flat for many blocks before it is called so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bci_server.safety.limits import Safety
from bci_server.wire import Quality
from devices.signal import Signal

__all__ = ["Contact"]

_FEWEST_SAMPLES = 8
"""So many equal values of a voltage are no chance, however coarse its steps are."""

_VOLTS = frozenset({"uV", "mV", "nV", "V"})


class Contact:
    """Watches the channels of one signal.

    Only voltages are watched for standing still: a count of spikes may well be 0 for seconds.

    Parameters
    ----------
    signal
        What the blocks carry.
    safety
        The rules of the session.

    Attributes
    ----------
    quality
        ``"bad"`` when too many channels are, ``"degraded"`` when some are.
    bad
        What is wrong with a channel, by its name.
    """

    def __init__(self, signal: Signal, safety: Safety) -> None:
        self._channels = signal.channels
        n_flat = max(_FEWEST_SAMPLES, round(1e-3 * safety.flat_ms * signal.rate_hz))
        self._n_flat = n_flat if signal.unit in _VOLTS else None
        self._rail = safety.saturated_at
        self._max_bad = safety.max_bad_channels * signal.n_channels
        self._last = np.full(signal.n_channels, np.nan, np.float32)
        self._n_still = np.zeros(signal.n_channels, np.int64)
        self._is_flat = np.zeros(signal.n_channels, bool)
        self._is_railed = np.zeros(signal.n_channels, bool)
        self.quality: Quality = "good"
        self.bad: dict[str, str] = {}

    def look(self, values: NDArray[np.floating]) -> bool:
        """Take in a block, (n, n_channels); True if something else is wrong than before."""
        if self._n_flat is None and self._rail is None:
            return False
        highest, lowest = values.max(axis=0), values.min(axis=0)
        is_flat, is_railed = self._is_flat, self._is_railed
        if self._n_flat is not None:
            before = np.where(lowest == self._last, self._n_still, 0)
            self._n_still = np.where(highest == lowest, before + len(values), 0)
            self._last = values[-1].copy()
            is_flat = self._n_still >= self._n_flat
        if self._rail is not None:
            is_railed = (highest >= self._rail) | (lowest <= -self._rail)
        if (is_flat == self._is_flat).all() and (is_railed == self._is_railed).all():
            return False
        self._is_flat, self._is_railed = is_flat, is_railed
        self._judge()
        return True

    def _judge(self) -> None:
        self.bad = {
            name: "at its rail" if railed else "does not change"
            for name, flat, railed in zip(
                self._channels, self._is_flat, self._is_railed, strict=True
            )
            if flat or railed
        }
        n_bad = len(self.bad)
        self.quality = "good" if not n_bad else "degraded" if n_bad <= self._max_bad else "bad"
