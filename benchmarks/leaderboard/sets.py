"""The recorded sets: where they are, how they become recordings, and what is left out of each fit.

To add a set: a function that makes its recordings, and a line in SETS.
"""

from __future__ import annotations

import math
import os
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bci_server.evaluation.groups import Source
from bci_server.evaluation.held_out import Score, Split
from devices.adapters.recording import Recording

__all__ = [
    "DATA",
    "ROOT",
    "SETS",
    "TRACK",
    "RecordedSet",
    "converted",
    "flickers",
    "headband",
    "pairs_of_runs",
    "runs",
]

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("BCI_TEST_DATA", ROOT.parent / "shared" / "data"))


@dataclass(frozen=True)
class RecordedSet:
    """One set, and how it is split.

    Parameters
    ----------
    name
        Of the row in the table.
    task
        Which decoders suit it: see `benchmarks.leaderboard.variants`.
    session
        The session file of ``examples/sessions`` that it is decoded by, unless a variant differs.
    sources
        Makes its recordings, in a folder where files can be kept.
    split
        What is left out of the fit.
    score
        ``accuracy``, ``auc`` or ``r2``: what the peers' tables show.
    changes
        What differs from the session file, section by section.
    control
        Nothing can be decoded here: what decodes it is at fault.
    """

    name: str
    task: str
    session: str
    sources: Callable[[Path], list[Source]]
    split: Split
    score: Score
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    control: bool = False


def play(path: Path, **options: Any) -> Recording:
    """Return a recording that is read as fast as it can be."""
    if not path.exists():
        raise FileNotFoundError(f"no {path}; set BCI_TEST_DATA to the folder of recordings")
    return Recording(str(path), speed=math.inf, chunk_s=1.0, **options)


def runs(*numbers: str) -> Callable[[Path], list[Source]]:
    """Return runs of EEGMMI, person S001."""

    def sources(folder: Path) -> list[Source]:
        return [Source(play(DATA / "eegmmi_s001" / f"S001R{n}.edf"), n, "S001", n) for n in numbers]

    return sources


def flickers(folder: Path) -> list[Source]:
    """Return two sessions of two people who look at flickers."""
    files = sorted((DATA / "ssvep_exo").glob("subject0[34]/*_raw.fif"))
    # The files say volts, which would be 10 mV of brain.
    return [Source(play(f, unit="nV"), f.name, f.name[:9], f.name[10:]) for f in files]


def headband(kind: str, person: str, stream: str) -> Callable[[Path], list[Source]]:
    """Return one person's runs with a Muse headband, in all sessions."""

    def sources(folder: Path) -> list[Source]:
        files = sorted((DATA / "muse_eegnb" / kind / person).glob("session*/*.csv.gz"))
        return [Source(play(f, stream=stream), f.name, person, f.parent.name) for f in files]

    return sources


def headbands(folder: Path) -> list[Source]:
    """Return all that two people did with a Muse headband and flashes."""
    return [s for n in ("subject1", "subject2") for s in headband("P300", n, "eeg")(folder)]


def converted(
    script: str,
    source: str | Sequence[str],
    *parts: tuple[float, float],
    stream: str = "",
    truth: str = "",
    option: str = "",
) -> Callable[[Path], list[Source]]:
    """Return parts (shares of the whole) of what a script of ``examples/datasets`` makes.

    Of several files one recording is made, which is named after the first.
    """
    files = [DATA / name for name in ([source] if isinstance(source, str) else source)]

    def sources(folder: Path) -> list[Source]:
        found = []
        for start, stop in parts or [(0.0, 1.0)]:
            made = folder / f"{files[0].stem}{option}_{start:.3f}_{stop:.3f}.xdf"
            if not made.exists():
                _convert(script, files, made, (start, stop), option)
            device = play(made, stream=stream, truth=truth)
            found.append(Source(device, made.name, "one", made.name))
        return found

    return sources


def _convert(
    script: str, files: Sequence[Path], made: Path, part: tuple[float, float], option: str
) -> None:
    for source in files:
        if not source.exists():
            raise FileNotFoundError(f"no {source}; set BCI_TEST_DATA to the folder of recordings")
    scripts = ROOT / "examples" / "datasets"
    sys.path.insert(0, str(scripts))  # as Python does for a script
    try:
        main = runpy.run_path(str(scripts / f"{script}.py"))["main"]
    finally:
        sys.path.remove(str(scripts))
    new = made.with_suffix(".new.xdf")
    new.unlink(missing_ok=True)
    start, stop = (f"{share:.6f}" for share in part)
    words = [option] if option else []
    if main([*words, *map(str, files), str(new), "--from", start, "--to", stop]):
        raise ValueError(f"{script} could not convert {files[0]}")
    new.rename(made)


FISTS_FEET = {"trials": {"labels": {"T1": "fists", "T2": "feet"}}}
LEFT_RIGHT = {"trials": {"labels": {"T1": "left", "T2": "right"}}}
HANDS = {
    "blocks": {"channels": ["C3", "Cz", "C4"]},
    "trials": {"labels": {"left": "left", "right": "right"}},
}
DIRECTIONS = {
    "trials": {
        "labels": {way: way for way in ("left", "right", "forward", "backward")},
        "start_s": 0.95,  # the last block of a trial of a second at 400 Hz
        "end_s": 0.9976,
    }
}
PICTURES = {"trials": {"labels": {"1": "house", "2": "face"}}}
THIRDS = ((0.0, 1 / 3), (2 / 3, 1.0))
TRACK = (
    "hippocampus_nelpy/linear-track/spikes.mat",
    "hippocampus_nelpy/linear-track/trajectory.videoPositionTracking.gz",
)
EEGMMI = "eegmmi_s001/S001R{}.edf"


def pairs_of_runs(*pairs: tuple[str, str]) -> Callable[[Path], list[Source]]:
    """Return recordings of EEGMMI, two runs each, with all four movements in them."""
    made = [converted("eegmmi", [EEGMMI.format(n) for n in pair]) for pair in pairs]
    return lambda folder: [source for one in made for source in one(folder)]


SETS: Sequence[RecordedSet] = (
    RecordedSet(
        "imagined fists/feet",
        "imagery",
        "motor_imagery",
        runs("06", "10"),
        "recording",
        "accuracy",
        FISTS_FEET,
    ),
    RecordedSet(
        "executed fists/feet",
        "imagery",
        "motor_imagery",
        runs("05", "09"),
        "recording",
        "accuracy",
        FISTS_FEET,
    ),
    RecordedSet(
        "imagined left/right",
        "imagery",
        "motor_imagery",
        runs("04", "08"),
        "recording",
        "accuracy",
        LEFT_RIGHT,
    ),
    RecordedSet(
        "imagined left/right, three electrodes",
        "imagery_3",
        "motor_imagery",
        converted("openbmi", "openbmi/cnt_mi.mat"),
        "within",
        "accuracy",
        HANDS,
    ),
    RecordedSet(
        "four imagined movements, and rest",
        "imagery",
        "motor_imagery_4",
        pairs_of_runs(("04", "06"), ("08", "10")),
        "recording",
        "accuracy",
    ),
    RecordedSet("SSVEP, session left out", "ssvep", "ssvep", flickers, "session", "accuracy"),
    RecordedSet("SSVEP, person left out", "ssvep", "ssvep", flickers, "person", "accuracy"),
    RecordedSet(
        "SSVEP, one electrode",
        "ssvep_headband",
        "ssvep_headband",
        headband("SSVEP", "subject1", "aux"),
        "recording",
        "accuracy",
    ),
    RecordedSet(
        "P300 headband, session left out",
        "p300",
        "p300",
        headband("P300", "subject1", "eeg"),
        "session",
        "auc",
    ),
    RecordedSet("P300 headband, person left out", "p300", "p300", headbands, "person", "auc"),
    RecordedSet(
        "P300 OpenBMI",
        "p300_pair",
        "p300",
        converted("openbmi", "openbmi/cnt_p300_off.mat"),
        "within",
        "auc",
    ),
    RecordedSet(
        "P300 speller", "p300", "p300", converted("bci2000", "bci2000/eeg3_1.dat"), "within", "auc"
    ),
    RecordedSet(
        "oddball, 64 electrodes",
        "oddball",
        "p300",
        converted("bci2000", "bci2000/eeg2_1.dat"),
        "within",
        "auc",
    ),
    RecordedSet(
        "houses or faces, headband",
        "p300",
        "p300",
        headband("N170", "subject1", "eeg"),
        "recording",
        "auc",
        PICTURES,
    ),
    RecordedSet(
        "slow potentials, SCP1",
        "slow_potentials",
        "slow_potentials",
        converted("bci_competition", "bci_competition/SelfRegulationSCP1_train.npz"),
        "within",
        "accuracy",
    ),
    RecordedSet(
        "slow potentials, SCP2 (control)",
        "slow_potentials",
        "slow_potentials",
        converted("bci_competition", "bci_competition/SelfRegulationSCP2_train.npz"),
        "within",
        "accuracy",
        control=True,
    ),
    RecordedSet(
        "fingers",
        "fingers",
        "fingers",
        converted("bci_competition", "bci_competition/BCI2_IV_fingers_train.npz"),
        "within",
        "accuracy",
    ),
    RecordedSet(
        "direction of a moving hand, MEG",
        "wrist",
        "fingers",
        converted("bci_competition", "bci_competition/HandMovementDirection_train.npz"),
        "within",
        "accuracy",
        DIRECTIONS,
    ),
    RecordedSet(
        "hand velocity, 196 units, 80 % → rest",
        "velocity",
        "reach",
        converted(
            "m1_stevenson",
            "m1_stevenson/stevenson_first70.npz",
            (0.0, 0.8),
            (0.8, 1.0),
            truth="velocity",
        ),
        "first",
        "r2",
    ),
    RecordedSet(
        "hand velocity, 196 units, first → last third",
        "velocity",
        "reach",
        converted("m1_stevenson", "m1_stevenson/stevenson_first70.npz", *THIRDS, truth="velocity"),
        "first",
        "r2",
    ),
    RecordedSet(
        "reaches, 98 units, 80 % → rest",
        "reach_directions",
        "reach_directions",
        converted(
            "reach_shenoy",
            "reach_shenoy/shenoy_reach_open.npz",
            (0.0, 0.8),
            (0.8, 1.0),
            truth="velocity",
        ),
        "first",
        "r2",
    ),
    RecordedSet(
        "planned target of eight, 98 units",
        "reach_target",
        "reach_target",
        converted("reach_shenoy", "reach_shenoy/shenoy_reach_open.npz", option="--plan"),
        "within",
        "accuracy",
    ),
    RecordedSet(
        "reaches of Chewie, 71 units, 80 % → rest",
        "reach_trials",
        "reach_trials",
        converted("m1_dad", "m1_dad/chewie_tr.npz", (0.0, 0.8), (0.8, 1.0), truth="velocity"),
        "first",
        "r2",
    ),
    RecordedSet(
        "reaches of Mihi, 174 units, 80 % → rest",
        "reach_trials",
        "reach_trials",
        converted("m1_dad", "m1_dad/mihi_demo.mat", (0.0, 0.8), (0.8, 1.0), truth="velocity"),
        "first",
        "r2",
    ),
    RecordedSet(
        "position on a track, 31 units",
        "position",
        "position",
        converted("hippocampus_nelpy", TRACK, (0.0, 0.52), truth="running"),
        "within",
        "r2",
    ),
    RecordedSet(
        "c-VEP, 32 targets",
        "cvep",
        "cvep",
        converted("cvep", "cvep/cvep_24trials.npz"),
        "within",
        "accuracy",
    ),
)
