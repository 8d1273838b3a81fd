"""A recording made in memory: a device that gives arrays, in chunks, and then is over."""

from dataclasses import dataclass, field

import numpy as np

from devices.clock import MONOTONIC, Clock
from devices.device import EndOfStream, Stream
from devices.signal import Chunk, Marker, Signal

EEG = Signal(100.0, ("C3", "Cz", "C4"), "uV")


@dataclass(frozen=True)
class Made:
    values: np.ndarray
    signal: Signal = EEG
    markers: tuple[Marker, ...] = ()
    truth: np.ndarray | None = None
    truth_signal: Signal | None = None
    chunk: int = 50
    gaps: tuple[int, ...] = field(default=())
    """Indices of samples that come after a gap of a second."""

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        return _MadeStream(self)


class _MadeStream(Stream):
    def __init__(self, made: Made) -> None:
        self.signal = made.signal
        self.truth_signal = made.truth_signal
        self.identity = "made"
        self._made = made
        self._at = self._from = 0
        times = np.arange(len(made.values)) / made.signal.rate_hz
        for gap in made.gaps:
            times[gap:] += 1.0
        self._times = times
        self._markers = list(made.markers)

    def read(self, timeout_s: float) -> Chunk:
        begin = self._from = self._at
        if begin >= len(self._times):
            raise EndOfStream
        end = min(begin + self._made.chunk, len(self._times))
        end = min([end, *(g for g in self._made.gaps if g > begin)])
        self._at = end
        values = self._made.values[begin:end].astype(np.float32)
        return Chunk(self._times[begin:end], values, begin in self._made.gaps)

    def take_markers(self) -> tuple[Marker, ...]:
        now_s = self._times[self._at - 1]
        due = tuple(m for m in self._markers if m.time_s <= now_s)
        self._markers = [m for m in self._markers if m.time_s > now_s]
        return due

    def take_truth(self) -> Chunk | None:
        if self._made.truth is None:
            return None
        part = slice(self._from, self._at)
        return Chunk(self._times[part], self._made.truth[part])

    def close(self) -> None:
        pass


def cued(n_trials: int = 12, seed: int = 0, labels: tuple[str, str] = ("L", "R")) -> Made:
    """Trials of 4 s, cued after 1 s: noise that is loud on C3 or on C4 while it counts."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n_trials * 400, 3)) * 10
    markers = []
    for trial in range(n_trials):
        cue = trial * 400 + 100
        which = trial % 2
        values[cue : cue + 250, 0 if which == 0 else 2] *= 2.5
        markers.append(Marker(cue / 100.0, labels[which]))
    return Made(values, markers=tuple(markers))


def followed(n: int = 3000, seed: int = 0) -> Made:
    """Counts that follow a slow two-dimensional velocity, which is the truth."""
    rng = np.random.default_rng(seed)
    window = np.hanning(41) / np.sqrt((np.hanning(41) ** 2).sum())
    wander = np.random.default_rng(100 + seed).standard_normal((2, n))
    velocity = np.stack([np.convolve(w, window, "same") for w in wander], axis=1)
    rates = np.maximum(5 + velocity @ rng.standard_normal((2, 8)) * 3, 0)
    signal = Signal(20.0, tuple(f"u{i}" for i in range(8)), "count")
    truth_signal = Signal(20.0, ("vx", "vy"), "m/s")
    return Made(rng.poisson(rates).astype(float), signal, (), velocity, truth_signal)
