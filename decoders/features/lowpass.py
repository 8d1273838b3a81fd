"""Low-pass: a causal Butterworth filter."""

from __future__ import annotations

from dataclasses import dataclass

from decoders.numerics.iir import FilterStep, butterworth
from decoders.stage import Step
from devices.signal import Signal

__all__ = ["Lowpass"]


@dataclass(frozen=True)
class Lowpass:
    """Keep what lies below a frequency. Values become float64, the unit stays.

    Causal: equals `scipy.signal.sosfilt` started in the steady state of the first sample.

    Parameters
    ----------
    edge_hz
        The -3 dB edge.
    order
        Of the filter; the slope falls by 6 dB · order an octave.
    """

    edge_hz: float
    order: int = 4

    def __post_init__(self) -> None:
        if not self.edge_hz > 0:
            raise ValueError(f"edge_hz must be positive, not {self.edge_hz}")
        if self.order < 1:
            raise ValueError(f"order must be at least 1, not {self.order}")

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return FilterStep(
            butterworth("lowpass", (self.edge_hz,), self.order, signal.rate_hz), signal, block
        )
