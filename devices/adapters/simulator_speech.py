"""Simulated arrays in the speech motor cortex of a participant who attempts to speak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from devices.clock import MONOTONIC, Clock
from devices.device import DeviceNotFound, DeviceRefused, Stream
from devices.signal import Signal
from devices.simulation.stream import Pace, SimulatedStream, Source

if TYPE_CHECKING:
    from devices.simulation.drive import Drive
    from devices.simulation.speech_tuning import SpeechTuning

__all__ = ["SimulatorSpeech"]

BIN_RATE_HZ = 50.0
_BLOCK_BINS = 25
_CHOICES = {
    "output": ("counts", "features", "broadband"),
    "order": ("random", "listed"),
    "mode": ("sentences", "silence", "noise"),
}


@dataclass(frozen=True, slots=True)
class SimulatorSpeech:
    """Electrodes tuned to the articulators of attempted speech; see docs/simulators.md.

    Markers: ``say:TEXT`` when a sentence is shown, ``said`` when it has been said.

    Parameters
    ----------
    n_electrodes
        1 to 10,000.
    output
        ``counts``: threshold crossings in bins of 20 ms, 50 Hz. ``features``: all crossings, then
        the spike-band power of each electrode. ``broadband``: voltages in uV.
    rate_hz
        Of broadband: 20,000 to 30,000 Hz, a multiple of 50. The others come at 50 Hz.
    text
        Path of a text file with one sentence a line; empty: some hundred everyday sentences that
        come with the package.
    order
        ``random``: all of them, then all of them again otherwise. ``listed``: as they stand.
    wpm
        Words a minute within sentences, 10 to 300; attempted speech was decoded at 62 (Willett et
        al., Nature 620:1031, 2023).
    silence_s
        Mean length of the silence between sentences; each is 0.5 to 1.5 times as long.
    mode
        ``sentences``; ``silence``: nothing is ever said; ``noise``: sentences are said, but the
        electrodes are not tuned to them.
    day
        Days since the first: units drift, fall silent and are replaced (`SpeechTuning.after`).
    seed
        The same seed gives the same samples to the bit, however they are cut or paced.
    speed
        How many times faster than real; ``inf``: as fast as it can.
    chunk_s
        Length of the pieces that come, in seconds.
    duration_s
        When it ends; ``inf``: never.

    Raises
    ------
    ValueError
        A field is out of its range; says which, and what it may be.
    """

    n_electrodes: int = 256
    output: Literal["counts", "features", "broadband"] = "counts"
    rate_hz: float = 30_000.0
    text: str = ""
    order: Literal["random", "listed"] = "random"
    wpm: float = 60.0
    silence_s: float = 1.5
    mode: Literal["sentences", "silence", "noise"] = "sentences"
    day: int = 0
    seed: int = 0
    speed: float = 1.0
    chunk_s: float = 0.02
    duration_s: float = float("inf")

    def __post_init__(self) -> None:
        self._pace()
        if not 1 <= self.n_electrodes <= 10_000:
            raise ValueError(f"n_electrodes must be 1 to 10000, not {self.n_electrodes}")
        if not 0 <= self.day <= 3650:
            raise ValueError(f"day must be 0 to 3650, not {self.day}")
        for name, choices in _CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"{name} {value!r}: it must be one of {', '.join(choices)}")
        if self.output == "broadband" and not (
            20_000 <= self.rate_hz <= 30_000 and self.rate_hz % BIN_RATE_HZ == 0
        ):
            raise ValueError(
                f"rate_hz must be 20000 to 30000 and a multiple of 50, not {self.rate_hz:g}"
            )
        if not 10 <= self.wpm <= 300:
            raise ValueError(f"wpm must be 10 to 300 words a minute, not {self.wpm:g}")
        if not 0 <= self.silence_s <= 3600:
            raise ValueError(f"silence_s must be 0 to 3600, not {self.silence_s:g}")

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        """Start the simulation.

        Raises
        ------
        DeviceNotFound, DeviceRefused
            The text is not there, is empty, or has what cannot be said; the dictionary of
            pronunciations is not installed.
        """
        pace = self._pace()
        identity = f"simulator_speech:{self.output}:{self.seed}"
        return SimulatedStream(self._source(), pace, clock, identity)

    def _pace(self) -> Pace:
        return Pace(self.speed, self.chunk_s, self.duration_s)

    def _source(self) -> Source:
        from devices.simulation.broadband import BroadbandSource
        from devices.simulation.spikes import CountSource, FeatureSource

        tuning_rng, speech_rng, shared_rng, spike_rng = np.random.default_rng(self.seed).spawn(4)
        drive = self._drive(self._tuning(tuning_rng), speech_rng, shared_rng)
        n = self.n_electrodes
        if self.output == "broadband":
            names = tuple(f"electrode-{k:03d}" for k in range(n))
            signal = Signal(self.rate_hz, names, "uV")
            return BroadbandSource(signal, drive, spike_rng, 1, False)
        crossings = tuple(f"tx-{k:03d}" for k in range(n))
        if self.output == "counts":
            signal = Signal(BIN_RATE_HZ, crossings, "count")
            return CountSource(signal, drive, spike_rng, _BLOCK_BINS, False)
        powers = tuple(f"sbp-{k:03d}" for k in range(n))
        signal = Signal(BIN_RATE_HZ, crossings + powers, "1")
        return FeatureSource(signal, drive, spike_rng, _BLOCK_BINS)

    def _tuning(self, rng: np.random.Generator) -> SpeechTuning:
        from devices.simulation.speech_tuning import SpeechTuning

        if self.mode == "noise":
            return SpeechTuning.untuned(self.n_electrodes, rng)
        tuning = SpeechTuning.draw(self.n_electrodes, rng)
        for day in range(self.day):
            tuning = tuning.after(1, np.random.default_rng((self.seed, day)))
        return tuning

    def _drive(
        self, tuning: SpeechTuning, rng: np.random.Generator, shared_rng: np.random.Generator
    ) -> Drive:
        from devices.simulation.speech import SpeechDrive
        from devices.simulation.utterances import Speaker, in_order, shuffled

        order_rng, speech_rng = rng.spawn(2)
        sentences = None
        if self.mode != "silence":
            listed = self._sentences()
            sentences = in_order(listed) if self.order == "listed" else shuffled(listed, order_rng)
        speaker = Speaker(sentences, self.wpm, self.silence_s, BIN_RATE_HZ, speech_rng)
        return SpeechDrive(tuning, speaker, BIN_RATE_HZ, shared_rng)

    def _sentences(self) -> tuple[str, ...]:
        """Return what is to be said, each sentence tried."""
        from devices.speech.everyday import sentences_of
        from devices.speech.pronunciation import phonemes_of

        try:
            found = sentences_of(self.text)
            for sentence in found:
                phonemes_of(sentence)
        except OSError as error:
            raise DeviceNotFound(f"text {self.text!r} cannot be read: {error.strerror}") from error
        except (ValueError, ModuleNotFoundError) as error:
            raise DeviceRefused(f"text {self.text or 'of the package'!r}: {error}") from error
        return found
