"""Units in speech motor cortex, driven by a speaker."""

from __future__ import annotations

import numpy as np

from devices.signal import Signal
from devices.simulation.drive import Driven
from devices.simulation.noise import Coloured, power_law
from devices.simulation.speech_tuning import SpeechTuning
from devices.simulation.utterances import Speaker
from devices.simulation.voice import VOICE, frames

__all__ = ["SpeechDrive"]


class SpeechDrive:
    """Units that are tuned to articulators, with slow noise that they share.

    Six sources of power ~ 1 / f above 0.02 Hz raise and lower all rates together, by 10 % of each
    in the mean over units: arousal, attention, and the array's own ups and downs. The truth is what
    the speech would sound like if it were aloud (`VOICE`).

    Parameters
    ----------
    tuning
        Of the units.
    speaker
        What is said.
    rate_hz
        Bins a second.
    rng
        Draws the shared noise.
    """

    SHARED = 0.1
    N_SHARED = 6

    def __init__(
        self, tuning: SpeechTuning, speaker: Speaker, rate_hz: float, rng: np.random.Generator
    ) -> None:
        self.truth_signal = Signal(rate_hz, VOICE, "1")
        mixing_rng, noise_rng = rng.spawn(2)
        mixing = mixing_rng.standard_normal((self.N_SHARED, len(tuning.baseline_hz)))
        self._mixing = self.SHARED / np.sqrt(self.N_SHARED) * mixing
        self._shared = Coloured(power_law(1.0, rate_hz, 0.02), self.N_SHARED, noise_rng)
        self._tuning = tuning
        self._speaker = speaker

    def next(self, n: int, start_s: float) -> Driven:
        """Return how they fire in the next `n` bins."""
        said = self._speaker.next(n)
        rates_hz = self._tuning.rates_hz(said.position, said.change)
        rates_hz *= np.exp(self._shared.next(n) @ self._mixing)
        return Driven(rates_hz, frames(said.sound), said.marks)

    def close(self) -> None:
        """Nothing to let go of."""
