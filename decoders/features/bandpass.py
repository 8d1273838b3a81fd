"""Band-pass: a causal Butterworth filter."""

from __future__ import annotations

from dataclasses import dataclass

from decoders.numerics.iir import FilterStep, butterworth
from decoders.stage import Step
from devices.signal import Signal

__all__ = ["Bandpass"]


@dataclass(frozen=True)
class Bandpass:
    """Keep what lies between two frequencies. Values become float64, the unit stays.

    Causal: equals `scipy.signal.sosfilt` started in the steady state of the first sample. It
    delays; by how much depends on the frequency (roughly order / (π · (high - low)) seconds in
    the middle of the band).

    Parameters
    ----------
    low_hz, high_hz
        The -3 dB edges.
    order
        Of the Butterworth prototype; the slopes fall by 6 dB · order an octave.
    """

    low_hz: float
    high_hz: float
    order: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.low_hz < self.high_hz:
            raise ValueError(
                f"bandpass needs 0 < low_hz < high_hz; it has low_hz = {self.low_hz}, "
                f"high_hz = {self.high_hz}"
            )
        if self.order < 1:
            raise ValueError(f"order must be at least 1, not {self.order}")

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        sos = butterworth("bandpass", (self.low_hz, self.high_hz), self.order, signal.rate_hz)
        return FilterStep(sos, signal, block)
