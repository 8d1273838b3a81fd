"""A simulated EEG headset on a participant who imagines, looks, counts or rests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from devices.clock import MONOTONIC, Clock
from devices.device import DeviceRefused, Stream
from devices.signal import Signal

if TYPE_CHECKING:
    from devices.simulation.intent import Intent
    from devices.simulation.layers import Layer

__all__ = ["SimulatorEeg"]

_BLOCK_S = 0.2


@dataclass(frozen=True, slots=True)
class SimulatorEeg:
    """EEG of 8 to 64 electrodes, driven by an intent; see docs/simulators.md.

    Markers: each class's name when its trial begins, ``rest`` when it ends; for ``p300`` every
    flash too. Truth: one column a class, 1 while it is meant, at the signal's rate.

    Parameters
    ----------
    n_channels
        8 to 64, 10-10 positions; the first 8 are Fz, C3, Cz, C4, Pz, PO7, Oz, PO8.
    rate_hz
        Sampling rate, 100 Hz or more.
    paradigm
        ``imagery``: mu and beta rhythms give way; ``ssvep``: a flicker is looked at; ``p300``:
        one of several flashing items is attended to; ``rest``: the eyes close and open.
    classes
        What can be meant. Imagery: ``left``, ``right``, ``hands``, ``feet`` (default the first
        two). ssvep: one name for each frequency (default ``"8.57Hz"`` …). p300: the items
        (default A to F). rest: one name (default ``eyes_closed``).
    frequencies_hz
        Flicker frequencies, for ``ssvep``.
    flash_period_s
        From one flash to the next, for ``p300``.
    strength
        How clearly the participant's brain reacts; 1 is an able one, 0 nothing at all.
    schedule
        Classes of the trials in order, begun again at the end; empty: random, balanced.
    intent_stream
        Name of an LSL stream of labels to follow instead, as they come.
    trial_s, pause_s, pause_jitter_s
        Length of trials and of the pause before each, which is drawn evenly between `pause_s`
        and `pause_s + pause_jitter_s`.
    mains_hz
        Frequency of the power line, 0 for none.
    blinks_per_minute, muscle_bursts_per_minute
        How many artifacts on average, 0 for none.
    seed
        The same seed gives the same samples to the bit, however they are cut or paced.
    speed
        How many times faster than real; ``inf``: as fast as it can.
    chunk_s
        Length of the pieces that come, in seconds.
    duration_s
        When it ends; ``inf``: never.
    """

    n_channels: int = 32
    rate_hz: float = 250.0
    paradigm: Literal["imagery", "ssvep", "p300", "rest"] = "imagery"
    classes: tuple[str, ...] = ()
    frequencies_hz: tuple[float, ...] = (8.57, 12.0, 15.0)
    flash_period_s: float = 0.2
    strength: float = 1.0
    schedule: tuple[str, ...] = ()
    intent_stream: str = ""
    trial_s: float = 4.0
    pause_s: float = 2.0
    pause_jitter_s: float = 1.0
    mains_hz: float = 50.0
    blinks_per_minute: float = 12.0
    muscle_bursts_per_minute: float = 2.0
    seed: int = 0
    speed: float = 1.0
    chunk_s: float = 0.02
    duration_s: float = float("inf")

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        """Start the simulation.

        Raises
        ------
        DeviceRefused
            A field is out of its range; says which, and what it may be.
        DeviceNotFound
            There is no LSL stream of the name `intent_stream`.
        """
        from devices.simulation.eeg import EegSource
        from devices.simulation.electrodes import ELECTRODES
        from devices.simulation.stream import Pace, SimulatedStream

        self._check()
        pace = Pace(self.speed, self.chunk_s, self.duration_s)
        signal = Signal(self.rate_hz, ELECTRODES[: self.n_channels], "uV")
        classes = self._classes()
        intent_rng, layer_rng = np.random.default_rng(self.seed).spawn(2)
        layers = self._layers(signal.channels, classes, layer_rng)
        intent = self._intent(classes, intent_rng)
        is_live = bool(self.intent_stream)
        block = pace.chunk(self.rate_hz) if is_live else max(1, round(_BLOCK_S * self.rate_hz))
        source = EegSource(signal, classes, intent, layers, block, is_live)
        return SimulatedStream(source, pace, clock, f"simulator_eeg:{self.paradigm}:{self.seed}")

    def _check(self) -> None:
        from devices.simulation.electrodes import ELECTRODES

        if not 8 <= self.n_channels <= len(ELECTRODES):
            raise DeviceRefused(f"n_channels must be 8 to 64, not {self.n_channels}")
        if not 100 <= self.rate_hz <= 50_000:
            raise DeviceRefused(f"rate_hz must be 100 to 50000, not {self.rate_hz:g}")
        if not 0 <= self.strength <= 10:
            raise DeviceRefused(f"strength must be 0 to 10, not {self.strength:g}")
        if self.intent_stream and (self.schedule or self.speed != 1):
            raise DeviceRefused(
                f"a live intent ({self.intent_stream!r}) runs at speed 1 and without a schedule, "
                f"not at speed {self.speed:g} with {len(self.schedule)} scheduled trials"
            )
        if not 0 <= self.mains_hz < self.rate_hz / 2:
            raise DeviceRefused(
                f"mains_hz must be 0 (none) or below half of rate_hz ({self.rate_hz / 2:g}), "
                f"not {self.mains_hz:g}"
            )
        if min(self.blinks_per_minute, self.muscle_bursts_per_minute) < 0:
            raise DeviceRefused("blinks_per_minute and muscle_bursts_per_minute cannot be negative")

    def _classes(self) -> tuple[str, ...]:
        from devices.simulation.intent import REST
        from devices.simulation.paradigms import IMAGERY

        usual = {
            "imagery": ("left", "right"),
            "ssvep": tuple(f"{f:g}Hz" for f in self.frequencies_hz),
            "p300": tuple("ABCDEF"),
            "rest": ("eyes_closed",),
        }
        if self.paradigm not in usual:
            raise DeviceRefused(f"paradigm {self.paradigm!r}: it must be one of {', '.join(usual)}")
        classes = self.classes or usual[self.paradigm]
        if len(set(classes)) < len(classes) or REST in classes or "" in classes:
            raise DeviceRefused(
                f"classes must differ, and none may be empty or {REST!r}: {', '.join(classes)}"
            )
        if self.paradigm == "imagery" and (unknown := sorted(set(classes) - set(IMAGERY))):
            raise DeviceRefused(
                f"cannot imagine {', '.join(unknown)}; classes may be {', '.join(IMAGERY)}"
            )
        n = {"ssvep": len(self.frequencies_hz), "rest": 1}.get(self.paradigm, len(classes))
        if len(classes) != n:
            raise DeviceRefused(f"{self.paradigm} needs {n} classes, not {len(classes)}")
        return classes

    def _intent(self, classes: tuple[str, ...], rng: np.random.Generator) -> Intent:
        from devices.simulation.intent import LiveIntent, TrialIntent, TrialTiming

        timing = TrialTiming(self.trial_s, self.pause_s, self.pause_jitter_s)
        if self.intent_stream:
            return LiveIntent(classes, self.intent_stream, self.rate_hz)
        return TrialIntent(classes, self.schedule, timing, self.rate_hz, rng)

    def _layers(
        self, channels: tuple[str, ...], classes: tuple[str, ...], rng: np.random.Generator
    ) -> list[Layer]:
        from devices.simulation.layers import Alpha, Background, Blinks, Mains, Muscle

        # Each has its own generator, so that leaving one out changes none of the others.
        rngs = rng.spawn(6)
        layers: list[Layer] = [
            Background(channels, self.rate_hz, rngs[0]),
            Alpha(channels, self.rate_hz, rngs[1], closes_eyes=self.paradigm == "rest"),
            self._response(channels, classes, rngs[2]),
        ]
        if self.mains_hz:
            layers.append(Mains(len(channels), self.mains_hz, self.rate_hz, rngs[3]))
        if self.blinks_per_minute:
            layers.append(Blinks(channels, self.blinks_per_minute, self.rate_hz, rngs[4]))
        if self.muscle_bursts_per_minute:
            layers.append(Muscle(channels, self.muscle_bursts_per_minute, self.rate_hz, rngs[5]))
        return layers

    def _response(
        self, channels: tuple[str, ...], classes: tuple[str, ...], rng: np.random.Generator
    ) -> Layer:
        from devices.simulation.paradigms import IMAGERY, Flashes, Flicker, Sensorimotor

        if self.paradigm == "ssvep":
            if not all(0 < f < self.rate_hz / 2 for f in self.frequencies_hz):
                raise DeviceRefused(
                    f"frequencies_hz must lie between 0 and {self.rate_hz / 2:g} (half of "
                    f"rate_hz), not {', '.join(f'{f:g}' for f in self.frequencies_hz)}"
                )
            return Flicker(channels, self.frequencies_hz, self.strength, self.rate_hz, rng)
        if self.paradigm == "p300":
            if not self.flash_period_s > 0:
                raise DeviceRefused(f"flash_period_s must be positive, not {self.flash_period_s!r}")
            return Flashes(channels, classes, self.flash_period_s, self.strength, self.rate_hz, rng)
        weights = np.array([IMAGERY.get(name, (0.0, 0.0, 0.0)) for name in classes])
        return Sensorimotor(channels, weights, self.strength, self.rate_hz, rng)
