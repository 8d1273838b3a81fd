"""What a stimulator may be asked for: limits of each train of pulses, and of the charge a second.

No I/O and no clock: what may go out follows from the limits, from what went out before, and from
the time. A train beyond a limit is refused, never trimmed: whoever asked must know.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

__all__ = ["Refusal", "Stimulation", "Stimulus", "Trains"]

_WINDOW_S = 1.0


@dataclass(frozen=True, slots=True)
class Stimulation:
    """The ``[stimulation]`` section: the limits of the stimulator, each of which must be stated.

    A phase of a pulse carries amplitude × width. What tissue and electrode bear is a matter of the
    charge of a phase and its density (Shannon, IEEE Trans. Biomed. Eng. 39, 1992; Cogan, Annu. Rev.
    Biomed. Eng. 10, 2008): take the limits from the electrode's own data.

    Parameters
    ----------
    electrodes
        Names of what can be stimulated.
    max_amplitude_ua
        Of one phase, in µA.
    max_pulse_width_us
        Of one phase, in µs.
    max_rate_hz
        Pulses a second, in a train.
    max_charge_nc
        Of one phase, in nC.
    max_charge_nc_s
        Of all first phases on all electrodes within any second, in nC.
    max_duration_s
        Of a train. Nobody can say stop through a line that is dead: a train ends by itself.
    """

    electrodes: tuple[str, ...]
    max_amplitude_ua: float
    max_pulse_width_us: float
    max_rate_hz: float
    max_charge_nc: float
    max_charge_nc_s: float
    max_duration_s: float = 1.0

    def __post_init__(self) -> None:
        if not self.electrodes or len(set(self.electrodes)) < len(self.electrodes):
            raise ValueError(f"electrodes must be different names, not {list(self.electrodes)}")
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name != "electrodes" and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{f.name} must be positive, not {value!r}")


@dataclass(frozen=True, slots=True)
class Stimulus:
    """A train of charge-balanced biphasic pulses on one electrode.

    Parameters
    ----------
    electrode
        Its name.
    amplitude_ua, pulse_width_us
        Of one phase.
    rate_hz, duration_s
        Of the train.
    """

    electrode: str
    amplitude_ua: float
    pulse_width_us: float
    rate_hz: float
    duration_s: float

    @property
    def charge_nc(self) -> float:
        """Charge of one phase."""
        return 1e-3 * self.amplitude_ua * self.pulse_width_us


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a stimulus is not given, and what to do."""

    cause: str
    fix: str


class Trains:
    """What goes out, held against the limits.

    Parameters
    ----------
    limits
        Of the stimulator.
    """

    def __init__(self, limits: Stimulation) -> None:
        self._limits = limits
        self._given: list[_Train] = []

    def give(self, stimulus: Stimulus, now_s: float) -> Refusal | None:
        """Take in that `stimulus` goes out now; if it may not, nothing changes.

        A train on an electrode takes the place of the one that runs there.
        """
        refusal = _beyond(stimulus, self._limits)
        if refusal is not None:
            return refusal
        still = [_cut(t, now_s) if t.electrode == stimulus.electrode else t for t in self._given]
        still = [t for t in still if t.end_s > now_s - _WINDOW_S]
        trains = [*still, _Train.of(stimulus, now_s)]
        most_nc = max(_charge_nc(trains, at) for at in _turning_points(trains))
        if most_nc > self._limits.max_charge_nc_s * (1 + 1e-9):
            return Refusal(
                f"within a second {most_nc:.4g} nC would be given; at most "
                f"{self._limits.max_charge_nc_s:g} may",
                "wait, or give less",
            )
        self._given = trains
        return None

    def stop(self, now_s: float) -> bool:
        """Take in that all trains end now; say whether any ran."""
        ran = any(train.end_s > now_s for train in self._given)
        self._given = [_cut(train, now_s) for train in self._given]
        return ran


@dataclass(frozen=True, slots=True)
class _Train:
    electrode: str
    start_s: float
    end_s: float
    charge_nc: float
    rate_hz: float

    @staticmethod
    def of(stimulus: Stimulus, now_s: float) -> _Train:
        end_s = now_s + stimulus.duration_s
        return _Train(stimulus.electrode, now_s, end_s, stimulus.charge_nc, stimulus.rate_hz)


def _cut(train: _Train, now_s: float) -> _Train:
    end_s = max(train.start_s, min(train.end_s, now_s))
    return _Train(train.electrode, train.start_s, end_s, train.charge_nc, train.rate_hz)


def _charge_nc(trains: list[_Train], end_s: float) -> float:
    """Return what is given in the second before `end_s`; a train begins with a whole pulse."""
    total = 0.0
    for train in trains:
        seconds = min(train.end_s, end_s) - max(train.start_s, end_s - _WINDOW_S)
        if seconds >= 0:
            total += train.charge_nc * (1 + seconds * train.rate_hz)
    return total


def _turning_points(trains: list[_Train]) -> list[float]:
    """Return the ends of the seconds of which one holds the most: it is linear between them."""
    edges = [edge for train in trains for edge in (train.start_s, train.end_s)]
    return edges + [edge + _WINDOW_S for edge in edges]


def _beyond(stimulus: Stimulus, limits: Stimulation) -> Refusal | None:
    if stimulus.electrode not in limits.electrodes:
        known = ", ".join(limits.electrodes)
        return Refusal(f"there is no electrode {stimulus.electrode!r}", f"there is: {known}")
    for what, value, most in (
        ("amplitude_ua", stimulus.amplitude_ua, limits.max_amplitude_ua),
        ("pulse_width_us", stimulus.pulse_width_us, limits.max_pulse_width_us),
        ("rate_hz", stimulus.rate_hz, limits.max_rate_hz),
        ("duration_s", stimulus.duration_s, limits.max_duration_s),
        ("the charge of a phase in nC", stimulus.charge_nc, limits.max_charge_nc),
    ):
        if not 0 < value <= most:
            return Refusal(f"{what} = {value:g}; it must be above 0, at most {most:g}", "give less")
    return None
