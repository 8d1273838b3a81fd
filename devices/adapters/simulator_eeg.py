"""A simulated EEG headset on a participant who imagines, looks, counts or rests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from devices.clock import MONOTONIC, Clock
from devices.device import Stream
from devices.signal import Signal
from devices.simulation.electrodes import ELECTRODES
from devices.simulation.intent import IMAGERY, REST, LiveIntent, TrialIntent, TrialTiming
from devices.simulation.stream import Pace, SimulatedStream

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

    Raises
    ------
    ValueError
        A field is out of its range; says which, and what it may be.
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

    def __post_init__(self) -> None:
        _check_ranges(self)
        _check_meaning(self, self.meanings)
        self._pace()
        self._timing()

    @property
    def meanings(self) -> tuple[str, ...]:
        """What can be meant: `classes`, or the paradigm's usual ones."""
        usual = {
            "imagery": ("left", "right"),
            "ssvep": tuple(f"{hz:g}Hz" for hz in self.frequencies_hz),
            "p300": tuple("ABCDEF"),
            "rest": ("eyes_closed",),
        }
        if self.paradigm not in usual:
            raise ValueError(f"paradigm {self.paradigm!r}: it must be one of {', '.join(usual)}")
        return self.classes or usual[self.paradigm]

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        """Start the simulation.

        Raises
        ------
        DeviceNotFound, DeviceRefused
            There is no LSL stream of the name `intent_stream`, or it does not carry text.
        """
        # Loads scipy, which only a running simulation needs.
        from devices.simulation.eeg import EegSource

        pace = self._pace()
        signal = Signal(self.rate_hz, ELECTRODES[: self.n_channels], "uV")
        intent_rng, layer_rng = np.random.default_rng(self.seed).spawn(2)
        layers = self._layers(signal.channels, layer_rng)
        intent: Intent
        if is_live := bool(self.intent_stream):
            intent = LiveIntent(self.meanings, self.intent_stream, self.rate_hz)
        else:
            timing = self._timing()
            intent = TrialIntent(self.meanings, self.schedule, timing, self.rate_hz, intent_rng)
        block = pace.chunk(self.rate_hz) if is_live else round(_BLOCK_S * self.rate_hz)
        source = EegSource(signal, self.meanings, intent, layers, block, is_live)
        return SimulatedStream(source, pace, clock, f"simulator_eeg:{self.paradigm}:{self.seed}")

    def _pace(self) -> Pace:
        return Pace(self.speed, self.chunk_s, self.duration_s)

    def _timing(self) -> TrialTiming:
        return TrialTiming(self.trial_s, self.pause_s, self.pause_jitter_s)

    def _layers(self, channels: tuple[str, ...], rng: np.random.Generator) -> list[Layer]:
        from devices.simulation.layers import Alpha, Background, Blinks, Mains, Muscle

        # Each has its own generator, so that leaving one out changes none of the others.
        rngs = rng.spawn(6)
        layers: list[Layer] = [
            Background(channels, self.rate_hz, rngs[0]),
            Alpha(channels, self.rate_hz, rngs[1], closes_eyes=self.paradigm == "rest"),
        ]
        if self.paradigm != "rest":
            layers.append(self._response(channels, rngs[2]))
        if self.mains_hz:
            layers.append(Mains(len(channels), self.mains_hz, self.rate_hz, rngs[3]))
        if self.blinks_per_minute:
            layers.append(Blinks(channels, self.blinks_per_minute, self.rate_hz, rngs[4]))
        if self.muscle_bursts_per_minute:
            layers.append(Muscle(channels, self.muscle_bursts_per_minute, self.rate_hz, rngs[5]))
        return layers

    def _response(self, channels: tuple[str, ...], rng: np.random.Generator) -> Layer:
        from devices.simulation.paradigms import Flashes, Flicker, Sensorimotor

        if self.paradigm == "ssvep":
            return Flicker(channels, self.frequencies_hz, self.strength, self.rate_hz, rng)
        if self.paradigm == "p300":
            period_s = self.flash_period_s
            return Flashes(channels, self.meanings, period_s, self.strength, self.rate_hz, rng)
        weights = np.array([IMAGERY[name] for name in self.meanings])
        return Sensorimotor(channels, weights, self.strength, self.rate_hz, rng)


def _check_ranges(recipe: SimulatorEeg) -> None:
    nyquist_hz = recipe.rate_hz / 2
    if not 8 <= recipe.n_channels <= len(ELECTRODES):
        raise ValueError(f"n_channels must be 8 to {len(ELECTRODES)}, not {recipe.n_channels}")
    if not 100 <= recipe.rate_hz <= 50_000:
        raise ValueError(f"rate_hz must be 100 to 50000, not {recipe.rate_hz:g}")
    if not 0 <= recipe.strength <= 10:
        raise ValueError(f"strength must be 0 to 10, not {recipe.strength:g}")
    if not recipe.flash_period_s > 0:
        raise ValueError(f"flash_period_s must be positive, not {recipe.flash_period_s!r}")
    if not 0 <= recipe.mains_hz < nyquist_hz:
        raise ValueError(
            f"mains_hz must be 0 (none) or below half of rate_hz ({nyquist_hz:g}), "
            f"not {recipe.mains_hz:g}"
        )
    if not all(0 < hz < nyquist_hz for hz in recipe.frequencies_hz):
        raise ValueError(
            f"frequencies_hz must lie between 0 and {nyquist_hz:g} (half of rate_hz), "
            f"not {', '.join(f'{hz:g}' for hz in recipe.frequencies_hz)}"
        )
    if not min(recipe.blinks_per_minute, recipe.muscle_bursts_per_minute) >= 0:
        raise ValueError("blinks_per_minute and muscle_bursts_per_minute cannot be negative")
    if recipe.intent_stream and (recipe.schedule or recipe.speed != 1):
        raise ValueError(
            f"a live intent ({recipe.intent_stream!r}) runs at speed 1 and without a schedule, "
            f"not at speed {recipe.speed:g} with {len(recipe.schedule)} scheduled trials"
        )


def _check_meaning(recipe: SimulatorEeg, classes: tuple[str, ...]) -> None:
    if not classes or len(set(classes)) < len(classes) or {REST, ""} & set(classes):
        raise ValueError(
            f"classes must differ, and none may be empty or {REST!r}: {', '.join(classes)}"
        )
    if recipe.paradigm == "imagery" and (unknown := sorted(set(classes) - set(IMAGERY))):
        raise ValueError(f"cannot imagine {', '.join(unknown)}; classes are {', '.join(IMAGERY)}")
    n = {"ssvep": len(recipe.frequencies_hz), "rest": 1}.get(recipe.paradigm, len(classes))
    if len(classes) != n:
        raise ValueError(f"{recipe.paradigm} needs {n} classes, not {len(classes)}")
    if unknown := sorted(set(recipe.schedule) - set(classes)):
        raise ValueError(
            f"the schedule asks for {', '.join(unknown)}; the classes are {', '.join(classes)}"
        )
