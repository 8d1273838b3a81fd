"""Which session file is fitted on which recordings, and which of them then goes over the line.

To add a session file: a line in TASKS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bci_server.evaluation.groups import Source
from benchmarks.leaderboard.sets import (
    TRACK,
    converted,
    flickers,
    headband,
    pairs_of_runs,
    runs,
)

__all__ = ["TASKS", "Line"]

Sources = Callable[[Path], list[Source]]


@dataclass(frozen=True)
class Line:
    """What goes over the line.

    Parameters
    ----------
    session
        The session file.
    fit, rest
        Make what is fitted on, and the one recording that is decoded.
    stream
        Which of the recordings' streams; empty: the one that there is for a decoder.
    control
        How ``bci evaluate`` is told to spoil the truth.
    """

    session: str
    fit: Sources
    rest: Sources
    stream: str = ""
    control: tuple[str, ...] = ("--permute-labels", "1")


def parts(script: str, source: str | Sequence[str], at: float, **how: Any) -> tuple[Sources, ...]:
    """Return what is fitted on, up to the share `at`, and the rest."""
    stop = how.pop("stop", 1.0)
    whole = (script, source)
    return converted(*whole, (0.0, at), **how), converted(*whole, (at, stop), **how)


def picked(sources: Sources, *at: int) -> Sources:
    """Return some of what `sources` makes."""
    return lambda folder: [sources(folder)[i] for i in at]


TURNED = ("--shift-truth", "30")
GRIPS = (
    "ecog_lfp_gripforce/bids/sub-testsub/ses-EphysMedOff/ieeg/"
    "sub-testsub_ses-EphysMedOff_task-gripforce_run-0_ieeg.vhdr"
)
FLASHES = headband("P300", "subject1", "eeg")  # six runs of one session, five of another
ONE_ELECTRODE = headband("SSVEP", "subject1", "aux")
STEVENSON = parts("m1_stevenson", "m1_stevenson/stevenson_first70.npz", 0.8)


TASKS: Mapping[str, Sequence[Line]] = {
    "imagery": (
        Line("motor_imagery", runs("06"), runs("10")),
        Line("motor_imagery", runs("10"), runs("06")),
    ),
    "executed": (
        Line("motor_imagery", runs("05"), runs("09")),
        Line("motor_imagery", runs("09"), runs("05")),
    ),
    "reach": (Line("reach", *STEVENSON, control=TURNED),),
    "motor_imagery_4": (
        Line("motor_imagery_4", pairs_of_runs(("04", "06")), pairs_of_runs(("08", "10"))),
    ),
    "motor_imagery_free": (Line("motor_imagery_free", runs("05", "06", "09"), runs("10")),),
    "motor_imagery_eegnet": (Line("motor_imagery_eegnet", runs("06"), runs("10")),),
    "p300": (Line("p300", picked(FLASHES, *range(6)), picked(FLASHES, 6), "eeg"),),
    "p300_speller": (Line("p300_speller", *parts("bci2000", "bci2000/eeg3_1.dat", 0.75)),),
    "ssvep": (Line("ssvep", picked(flickers, 0), picked(flickers, 1)),),
    "ssvep_headband": (
        Line("ssvep_headband", picked(ONE_ELECTRODE, 0), picked(ONE_ELECTRODE, 1), "aux"),
    ),
    "cvep": (Line("cvep", *parts("cvep", "cvep/cvep_24trials.npz", 0.75)),),
    "slow_potentials": (
        Line(
            "slow_potentials",
            *parts("bci_competition", "bci_competition/SelfRegulationSCP1_train.npz", 0.8),
        ),
    ),
    "fingers": (
        Line(
            "fingers",
            *parts("bci_competition", "bci_competition/BCI2_IV_fingers_train.npz", 0.7),
        ),
    ),
    # Three grips are as few as can be fitted on: it goes over what it knows, which is no score.
    "grip": (Line("grip", *[converted("ecog_lfp_gripforce", GRIPS)] * 2, "ieeg"),),
    "reach_directions": (
        Line(
            "reach_directions",
            *parts("reach_shenoy", "reach_shenoy/shenoy_reach_open.npz", 0.8),
            control=TURNED,
        ),
    ),
    "reach_trials": (
        Line("reach_trials", *parts("m1_dad", "m1_dad/chewie_tr.npz", 0.8), control=TURNED),
    ),
    "reach_target": (
        Line(
            "reach_target",
            *parts("reach_shenoy", "reach_shenoy/shenoy_reach_open.npz", 0.8, option="--plan"),
        ),
    ),
    "reach_lstm": (Line("reach_lstm", *STEVENSON, control=TURNED),),
    "position": (
        Line("position", *parts("hippocampus_nelpy", TRACK, 0.4, stop=0.52), control=TURNED),
    ),
}
