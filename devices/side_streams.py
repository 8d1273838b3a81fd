"""What comes beside a signal on LSL streams of its own: markers, and the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.clock import Clock
from devices.device import DeviceRefused
from devices.discovery import StreamFound
from devices.inlet import SampleInlet
from devices.liblsl import load_pylsl
from devices.lsl_description import Description, to_signal
from devices.signal import Chunk, Signal

__all__ = ["MarkerStream", "TruthStream"]

_MAX_MARKERS = 256


class MarkerStream:
    """A stream of words or numbers, each said to be a marker.

    Parameters
    ----------
    info
        The resolved ``pylsl.StreamInfo``.

    Attributes
    ----------
    found
        Who sends it.
    lsl
        Its ``pylsl.StreamInlet``.
    """

    def __init__(self, info: Any) -> None:
        self.found = StreamFound.of(info)
        self.lsl = load_pylsl().StreamInlet(info, 360, 0, True)

    def take(self) -> list[tuple[float, str]]:
        """Return the stamps and labels that have arrived; several channels join with spaces."""
        if not self.lsl.samples_available():
            return []
        samples, stamps = self.lsl.pull_chunk(timeout=0.0, max_samples=_MAX_MARKERS, as_numpy=True)
        labelled = zip(stamps.tolist(), map(_label, samples.tolist()), strict=True)
        return [(stamp, label) for stamp, label in labelled if label]


class TruthStream:
    """A regular stream that tells what was meant or done while the signal was sampled.

    Parameters
    ----------
    info
        The resolved ``pylsl.StreamInfo``.
    timeout_s
        How long its description may take.
    clock
        Tells when samples arrive.

    Attributes
    ----------
    found, lsl
        As for `MarkerStream`.
    signal
        What it carries.
    """

    def __init__(self, info: Any, timeout_s: float, clock: Clock) -> None:
        self.found = StreamFound.of(info)
        if not self.found.rate_hz > 0:
            raise DeviceRefused(f"the truth must have a rate; LSL stream {self.found} has none")
        self._inlet = SampleInlet(info, self.found.rate_hz, clock)
        self.lsl = self._inlet.lsl
        self.signal: Signal
        self.signal, self._factors = to_signal(Description.of(self.lsl.info(timeout_s)))
        self._values = np.zeros(self._inlet.values.shape, dtype=np.float32)
        self._times = np.zeros(len(self._inlet.stamps))
        self._n = 0

    def take(self, offset_s: float, until_s: float) -> Chunk | None:
        """Return what belongs to the time up to `until_s`; the rest stays for later.

        Parameters
        ----------
        offset_s
            What to add to the sender's stamps.
        until_s
            Time of the last sample of the signal that was read.
        """
        self._n += self._inlet.take_ready(self._n)
        stamps = self._inlet.stamps[: self._n]
        n = int(np.searchsorted(stamps, until_s - offset_s, side="right"))
        if n == 0:
            return None
        np.add(stamps[:n], offset_s, out=self._times[:n])
        np.multiply(self._inlet.values[:n], self._factors, out=self._values[:n], casting="unsafe")
        self._drop(n)
        return Chunk(self._times[:n], self._values[:n])

    def _drop(self, n: int) -> None:
        left = self._n - n
        for held in (self._inlet.values, self._inlet.stamps):
            _move_to_front(held, n, left)
        self._n = left


def _move_to_front(held: NDArray[Any], start: int, n: int) -> None:
    held[:n] = held[start : start + n].copy()


def _label(sample: list[Any]) -> str:
    return " ".join(word for word in map(_word, sample) if word)


def _word(value: Any) -> str:
    if isinstance(value, bytes):
        return _decoded(value).strip()
    return str(int(value)) if float(value).is_integer() else str(value)


def _decoded(word: bytes) -> str:
    """Decode a word; senders on Windows write Latin-1, which cannot fail."""
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        return word.decode("latin-1")
