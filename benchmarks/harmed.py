"""Devices whose samples are harmed on the way: electrodes that are lost, and signals that drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from devices.clock import MONOTONIC, Clock
from devices.device import Device, Health, Stream
from devices.signal import Chunk, Marker, Signal

__all__ = ["Drift", "Harm", "Harmed", "LostElectrodes"]


class Harm(Protocol):
    """What happens to samples."""

    def __call__(
        self, values: NDArray[np.float32], first: int, signal: Signal
    ) -> NDArray[np.float32]:
        """Return what becomes of samples, (n, n_channels), the first of which is no. `first`."""


@dataclass(frozen=True)
class Harmed:
    """A device that is not what it was."""

    device: Device
    harm: Harm

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        """Open it."""
        return _HarmedStream(self.device.open(clock), self.harm)


@dataclass(frozen=True)
class LostElectrodes:
    """Electrodes that fail after some samples.

    Parameters
    ----------
    channels
        Their names.
    how
        They give what is not a number, or stay where they were.
    after
        Samples before they fail.
    """

    channels: tuple[str, ...]
    how: Literal["nan", "flat"]
    after: int = 0

    def __call__(
        self, values: NDArray[np.float32], first: int, signal: Signal
    ) -> NDArray[np.float32]:
        """Return what is left."""
        columns = [signal.channels.index(c) for c in self.channels]
        begin = max(0, self.after - first)
        if begin < len(values):
            values = values.copy()
            values[begin:, columns] = np.nan if self.how == "nan" else 0.0
        return values


class Drift:
    r"""Gain, offset and loss of channels, growing steadily from the first sample to the last.

    Channel i gives :math:`e^{t g_i} x + t o_i s_i` at the share t of the recording, with normal
    g and o, and s the mean deviation of a channel; some channels fall silent at a time of their
    own. Harmed counts stay at zero or above.

    Parameters
    ----------
    seed
        Which drift.
    n_samples
        After so many it is complete.
    gain, offset
        Deviations of g and of o.
    lost
        Share of the channels that fall silent.
    scale
        s: (n_channels,).
    offsets
        ``"both"`` ways; or ``"up"`` alone, as noise adds to counts: what takes the same number of
        spikes away from each bin leaves most units nothing to tell.
    """

    def __init__(
        self,
        seed: int,
        n_samples: int,
        gain: float,
        offset: float,
        lost: float,
        scale: Sequence[float] | NDArray[np.float64],
        offsets: Literal["both", "up"] = "both",
    ) -> None:
        rng = np.random.default_rng(seed)
        n = len(scale)
        self._n_samples = n_samples
        self._gains = rng.normal(0.0, gain, n)
        self._offsets = rng.normal(0.0, offset, n) * np.asarray(scale)
        if offsets == "up":
            self._offsets = np.abs(self._offsets)
        self._silent_at = np.full(n, np.inf)
        gone = rng.permutation(n)[: round(lost * n)]
        self._silent_at[gone] = rng.random(len(gone))

    def __call__(
        self, values: NDArray[np.float32], first: int, signal: Signal
    ) -> NDArray[np.float32]:
        """Return what they have become."""
        share = (first + np.arange(len(values))[:, np.newaxis]) / self._n_samples
        drifted = values * np.exp(share * self._gains) + share * self._offsets
        drifted[share >= self._silent_at] = 0.0
        if signal.unit == "count":
            np.maximum(drifted, 0.0, out=drifted)
        return drifted.astype(np.float32)


class _HarmedStream(Stream):
    def __init__(self, inner: Stream, harm: Harm) -> None:
        self._inner = inner
        self._harm = harm
        self._n = 0
        self.signal = inner.signal
        self.truth_signal = inner.truth_signal
        self.identity = inner.identity

    def read(self, timeout_s: float) -> Chunk | None:
        chunk = self._inner.read(timeout_s)
        if chunk is None:
            return None
        values = self._harm(np.asarray(chunk.values, np.float32), self._n, self.signal)
        self._n += len(chunk)
        return Chunk(chunk.times, values, chunk.gap)

    def take_markers(self) -> tuple[Marker, ...]:
        return self._inner.take_markers()

    def take_truth(self) -> Chunk | None:
        return self._inner.take_truth()

    def health(self) -> Health:
        return self._inner.health()

    def close(self) -> None:
        self._inner.close()
