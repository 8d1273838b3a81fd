"""Simulated arrays in the motor cortex of a participant who means to reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from devices.clock import MONOTONIC, Clock
from devices.device import Stream
from devices.signal import Signal
from devices.simulation.stream import Pace, SimulatedStream, Source

if TYPE_CHECKING:
    from devices.simulation.reaches import Movement

__all__ = ["SimulatorReach"]

BIN_RATE_HZ = 50.0
_COUNT_BINS = 25


@dataclass(frozen=True, slots=True)
class SimulatorReach:
    """Units tuned to an intended 2-D velocity; see docs/simulators.md.

    Markers: ``target-0`` … and ``target-centre`` (centre-out) or ``target`` (random) when a target
    shows, ``reach`` when the movement begins. Truth: vx, vy in m/s, 50 times a second.

    Parameters
    ----------
    n_units
        1 to 10,000 units; each has a channel.
    output
        ``counts``: spikes in bins of 20 ms, 50 Hz. ``broadband``: voltages in uV.
    rate_hz
        Of broadband: 20,000 to 30,000 Hz, a multiple of 50. Counts come at 50 Hz.
    task
        ``centre_out``: eight targets and back. ``random_target``: from one to the next.
    radius_m
        How far the targets are from the centre.
    intent_stream
        Name of an LSL stream of velocities (vx, vy in m/s) to follow instead, as they come.
    day
        Days since the first: units drift, fall silent and are replaced (`CosineTuning.after`).
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

    n_units: int = 96
    output: Literal["counts", "broadband"] = "counts"
    rate_hz: float = 30_000.0
    task: Literal["centre_out", "random_target"] = "centre_out"
    radius_m: float = 0.1
    intent_stream: str = ""
    day: int = 0
    seed: int = 0
    speed: float = 1.0
    chunk_s: float = 0.02
    duration_s: float = float("inf")

    def __post_init__(self) -> None:
        self._pace()
        if not 1 <= self.n_units <= 10_000:
            raise ValueError(f"n_units must be 1 to 10000, not {self.n_units}")
        if not 0 <= self.day <= 3650:
            raise ValueError(f"day must be 0 to 3650, not {self.day}")
        if self.output not in ("counts", "broadband"):
            raise ValueError(f"output {self.output!r}: it must be counts or broadband")
        if self.task not in ("centre_out", "random_target"):
            raise ValueError(f"task {self.task!r}: it must be centre_out or random_target")
        if self.output == "broadband" and not (
            20_000 <= self.rate_hz <= 30_000 and self.rate_hz % BIN_RATE_HZ == 0
        ):
            raise ValueError(
                f"rate_hz must be 20000 to 30000 and a multiple of 50, not {self.rate_hz:g}"
            )
        if not 0 < self.radius_m < 2:
            raise ValueError(f"radius_m must be above 0 and below 2, not {self.radius_m:g}")
        if self.intent_stream and self.speed != 1:
            raise ValueError(
                f"a live intent ({self.intent_stream!r}) runs at speed 1, not {self.speed:g}"
            )

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        """Start the simulation.

        Raises
        ------
        DeviceNotFound, DeviceRefused
            There is no LSL stream of the name `intent_stream`, or it has not two numbers.
        """
        pace = self._pace()
        identity = f"simulator_reach:{self.output}:{self.seed}"
        return SimulatedStream(self._source(pace), pace, clock, identity)

    def _pace(self) -> Pace:
        return Pace(self.speed, self.chunk_s, self.duration_s)

    def _source(self, pace: Pace) -> Source:
        from devices.simulation.broadband import BroadbandSource
        from devices.simulation.reaches import VelocityDrive
        from devices.simulation.spikes import CountSource
        from devices.simulation.tuning import CosineTuning

        tuning_rng, reach_rng, spike_rng = np.random.default_rng(self.seed).spawn(3)
        tuning = CosineTuning.draw(self.n_units, tuning_rng)
        for day in range(self.day):
            tuning = tuning.after(1, np.random.default_rng((self.seed, day)))
        drive = VelocityDrive(tuning, self._movement(reach_rng), BIN_RATE_HZ)
        is_live = bool(self.intent_stream)
        channels = tuple(f"unit-{k:04d}" for k in range(self.n_units))
        if self.output == "counts":
            signal = Signal(BIN_RATE_HZ, channels, "count")
            bins = pace.chunk(BIN_RATE_HZ) if is_live else _COUNT_BINS
            return CountSource(signal, drive, spike_rng, bins, is_live)
        signal = Signal(self.rate_hz, channels, "uV")
        return BroadbandSource(signal, drive, spike_rng, 1, is_live)

    def _movement(self, rng: np.random.Generator) -> Movement:
        from devices.simulation.reaches import LiveVelocity, Reaches, centre_out, random_targets

        if self.intent_stream:
            return LiveVelocity(self.intent_stream, BIN_RATE_HZ)
        if self.task == "centre_out":
            return Reaches(centre_out(self.radius_m, 8, rng), BIN_RATE_HZ)
        return Reaches(random_targets(self.radius_m, rng), BIN_RATE_HZ)
