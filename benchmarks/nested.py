"""What settings are worth when the trials that are scored had no say in choosing them.

    python benchmarks/nested.py                       # all sets
    python benchmarks/nested.py fingers cvep          # some

Where a guide's settings were compared on the trials that its figure is of, the figure is kind. Here
blocks of consecutive trials are left out in turn; each time the settings are chosen from a grid
around the session file's, by cross-validation of the other trials alone, fitted on those, and
decode what was left out, by the live step. Beside that: the session file's own settings on the same
blocks, and the best of the grid, chosen on the very trials. Recordings are read from
../shared/data, or BCI_TEST_DATA. To add a set: a line in SETS.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - found by the line above, like the rest
from numpy.typing import NDArray  # noqa: E402

from bci_server.config import Session, session_of  # noqa: E402
from benchmarks.leaderboard.cells import described  # noqa: E402
from benchmarks.leaderboard.sets import SETS as RECORDED  # noqa: E402
from benchmarks.leaderboard.sets import RecordedSet  # noqa: E402
from benchmarks.leaderboard.variants import Variant  # noqa: E402
from decoders.calibrating.calibration import one_thread  # noqa: E402
from decoders.calibrating.cross_validation import LeftOutTrial, leave_out, trials_of  # noqa: E402
from decoders.calibrating.training_rows import training_of  # noqa: E402
from decoders.deciding.stopping import EvidenceKind, fit_stopping  # noqa: E402
from decoders.deciding.trials import decide  # noqa: E402
from decoders.decoder import Decoder, Training  # noqa: E402
from decoders.gathering import Gathered, gather  # noqa: E402
from decoders.rows.folds import mixed_trial_folds, trial_folds  # noqa: E402
from decoders.scoring.scores import class_scores  # noqa: E402

Table = Mapping[str, Any]
Trials = list[LeftOutTrial]


@dataclass(frozen=True)
class Choice:
    """One way to decode a set: the session file, but for this.

    Parameters
    ----------
    name
        Says what differs.
    stages
        Instead of the file's.
    decoder
        Keys of the section that differ, or another decoder's whole section.
    """

    name: str
    stages: Sequence[Table] | None
    decoder: Table


@dataclass(frozen=True)
class Nested:
    """A set, what is chosen from, and by which score.

    Parameters
    ----------
    recorded
        Its name in ``benchmarks/leaderboard/sets.py``.
    session
        The session file.
    grid
        What is chosen from; the file's own settings first.
    score
        ``accuracy`` or ``auc``.
    folds
        How many blocks are left out in turn.
    inner
        How many of the others are left out in turn to choose by.
    at_s
        When a trial is decided, counted from its cue; 0: at its end.
    """

    recorded: str
    session: str
    grid: Sequence[Choice]
    score: str = "accuracy"
    folds: int = 10
    inner: int = 5
    at_s: float = 0.0


def cvep() -> Iterator[Choice]:
    """Yield ways to decode codes."""
    for response_s in (0.3, 0.2, 0.4):
        for filter_s in (0.034, 0.0, 0.067, 0.1):
            for events in ("duration", "edges") if filter_s == 0.034 else ("duration",):
                keys = {"response_s": response_s, "filter_s": filter_s, "events": events}
                yield Choice(f"response {response_s}, filter {filter_s}, {events}", None, keys)


def shifts() -> Iterator[Choice]:
    """Yield ways to decode slow shifts, with fast rhythms beside them or without."""
    gammas = ((50.0, 100.0), None, (40.0, 90.0), (60.0, 110.0), (70.0, 120.0), (8.0, 30.0))
    for kind in ("lda", "logistic"):
        for step_s in (0.5, 0.25):
            for band in gammas:
                for power_s in (0.875, 1.75) if band else (0.875,):
                    chains: list[Sequence[Table]] = [
                        [
                            {"kind": "lowpass", "edge_hz": 4.0, "order": 2},
                            {"kind": "epoch", "window_s": 3.5, "step_s": step_s},
                        ]
                    ]
                    if band is not None:
                        power = {"kind": "epoch", "window_s": 3.5, "step_s": power_s}
                        chains.append([_band(band, 4), {"kind": "log_power"}, power])
                    stages = ({"kind": "side_by_side", "chains": chains},)
                    told = _told(band, power_s)
                    yield Choice(f"{kind}, steps of {step_s} s, {told}", stages, {"kind": kind})


def hands() -> Iterator[Choice]:
    """Yield ways to decode a hand about to move."""
    bands = ((10.0, 33.0), None, (8.0, 13.0), (15.0, 30.0), (8.0, 30.0))
    for common in (True, False):
        for band in bands:
            for window_s in (0.3, 0.5) if band else (0.3,):
                chains: list[Sequence[Table]] = [
                    [{"kind": "epoch", "window_s": 0.5, "step_s": 0.1}]
                ]
                if band is not None:
                    chains.append([_band(band, 2), {"kind": "log_power", "window_s": window_s}])
                stages: Sequence[Table] = ({"kind": "side_by_side", "chains": chains},)
                if common:
                    stages = ({"kind": "rereference"}, *stages)
                reference = "common reference" if common else "as recorded"
                yield Choice(f"{reference}, {_told(band, window_s)}", stages, {})


def flashes() -> Iterator[Choice]:
    """Yield ways to decode flashes."""
    decoders: Sequence[Table] = (
        {"kind": "xdawn", "filters": 4},
        {"kind": "xdawn", "filters": 2},
        {"kind": "lda"},
        {"kind": "xdawn_covariance", "filters": 2},
    )
    for decoder in decoders:
        for high_hz in (12.0, 15.0):
            for window_s, step_s in ((1.0, 0.05), (0.8, 0.03125)):
                band = {"kind": "bandpass", "low_hz": 0.5, "high_hz": high_hz, "order": 2}
                epoch = {"kind": "epoch", "window_s": window_s, "step_s": step_s}
                told = " ".join(str(value) for value in decoder.values())
                name = f"{told}, below {high_hz:.0f} Hz, {window_s} s"
                yield Choice(name, (band, epoch), decoder)


def _told(band: tuple[float, float] | None, window_s: float) -> str:
    return f"{band[0]:.0f}-{band[1]:.0f} Hz in {window_s} s" if band else "no rhythm"


def _band(band: tuple[float, float], order: int) -> Table:
    return {"kind": "bandpass", "low_hz": band[0], "high_hz": band[1], "order": order}


SETS: Mapping[str, Nested] = {
    "slow_potentials": Nested("slow potentials, SCP1", "slow_potentials", tuple(shifts())),
    "control": Nested("slow potentials, SCP2 (control)", "slow_potentials", tuple(shifts())),
    "fingers": Nested("fingers", "fingers", tuple(hands())),
    "speller": Nested("P300 speller", "p300_speller", tuple(flashes()), "auc"),
    "cvep": Nested("c-VEP, 32 targets", "cvep", tuple(cvep()), folds=4, inner=3, at_s=2.1),
}


@dataclass(frozen=True)
class Way:
    """A choice, ready: its decoder, and the trials through its steps.

    Parameters
    ----------
    name, decoder, training
        Of the choice.
    evidence
        What a decision rests on.
    hop_s
        One row of the training each.
    stop_error
        For how many wrong decisions trials are decided early; 0: they are not.
    """

    name: str
    decoder: Decoder
    training: Training
    evidence: EvidenceKind = "sum"
    hop_s: float = 0.0
    stop_error: float = 0.0


@dataclass(frozen=True)
class Block:
    """What came of one block of trials that was left out.

    Parameters
    ----------
    chosen
        Which way was best on the other trials, each decoded by what was not fitted on it.
    merit
        Its score there.
    trials
        Of each way, the trials of the block.
    stops
        With the way that was chosen: whether each was decided right, and after how many seconds.
    """

    chosen: int
    merit: float
    trials: Sequence[Trials]
    stops: Sequence[tuple[bool, float]]


def session_for(nested: Nested, choice: Choice, folder: Path) -> Session:
    """Return the session of a choice."""
    recorded = _recorded(nested)
    whole = choice.decoder if "kind" in choice.decoder else {}
    changes = {} if whole else {"decoder": choice.decoder}
    variant = Variant(choice.name, whole, choice.stages, _trials_of(choice) | changes)
    return session_of(described(recorded, variant), folder)


def _recorded(nested: Nested) -> RecordedSet:
    recorded = next(r for r in RECORDED if r.name == nested.recorded)
    return replace(recorded, session=nested.session)


def _trials_of(choice: Choice) -> dict[str, Table]:
    """Return when the one block of a flash ends, where its epoch is the last stage."""
    last = choice.stages[-1] if choice.stages else {}
    if last.get("kind") != "epoch":
        return {}
    return {"trials": {"start_s": last["window_s"], "end_s": last["window_s"] + 0.011}}


def ways(nested: Nested, folder: Path) -> list[Way]:
    """Run a set through the steps of each choice; the same steps once."""
    seen: dict[str, list[Gathered]] = {}
    found = []
    for choice in nested.grid:
        session = session_for(nested, choice, folder)
        pipeline = session.pipeline
        key = repr(pipeline)
        if key not in seen:
            seen[key] = [gather(s.device, pipeline) for s in _recorded(nested).sources(folder)]
        training = training_of(seen[key], pipeline, session.decoder, ())
        evidence: EvidenceKind = "sum" if pipeline.trials is None else pipeline.trials.evidence
        stop_error = 0.0 if pipeline.speller is not None else pipeline.stop_error
        found.append(
            Way(choice.name, session.decoder, training, evidence, pipeline.hop_s, stop_error)
        )
    counts = {way.name: len(np.unique(way.training.groups)) for way in found}
    if len(set(counts.values())) > 1:
        raise SystemExit(f"not all settings have the same trials: {counts}")
    return found


def blocks(nested: Nested, found: Sequence[Way]) -> Iterator[Block]:
    """Leave out block after block; choose without it, and decode it."""
    for test in _parts(found[0], found[0].training, nested.folds):
        left = np.unique(found[0].training.groups[test])
        best, best_merit, best_inner = -1, (-np.inf, -np.inf), []
        trials: list[Trials] = []
        for i, way in enumerate(found):
            out = np.isin(way.training.groups, left)
            inner = left_out_within(way, ~out, nested.inner)
            trials.append(decoded(way, ~out, out))
            if (now := merit(nested, way, inner)) > best_merit:
                best, best_merit, best_inner = i, now, inner
        stops = _stopped(found[best], best_inner, trials[best])
        yield Block(best, best_merit[0], trials, stops)


def decoded(way: Way, train: NDArray[np.bool_], test: NDArray[np.bool_]) -> Trials:
    """Fit on some rows, and decode others by the live step."""
    weights = way.decoder.fit(way.training.part(train))
    asked = way.training.part(test)
    return trials_of(asked, leave_out(way.decoder, asked, fit=lambda _: weights))


def left_out_within(way: Way, rows: NDArray[np.bool_], folds: int) -> Trials:
    """Decode each of some trials by what was fitted on the others of them."""
    found: list[tuple[int, LeftOutTrial]] = []
    within = np.flatnonzero(rows)
    for mask in _parts(way, way.training.part(rows), folds):
        test = np.zeros(len(rows), bool)
        test[within[mask]] = True
        groups = np.unique(way.training.groups[test])
        found += zip(groups.tolist(), decoded(way, rows & ~test, test), strict=True)
    return [trial for _, trial in sorted(found, key=lambda pair: pair[0])]


def _parts(way: Way, training: Training, folds: int) -> Iterator[NDArray[np.bool_]]:
    parting = mixed_trial_folds if getattr(way.decoder, "shares_classes", False) else trial_folds
    return parting(training, folds)


def scores(nested: Nested, way: Way, trials: Trials) -> dict[str, Any]:
    """Score trials, as far as they go."""
    said = [_until(nested, way, trial) for trial in trials]
    second = [float(np.mean(rows[:, 1])) for rows in said]
    decisions = [decide(rows.tolist(), way.evidence) for rows in said]
    return class_scores([t.truth for t in trials], decisions, way.training.labels, second)


def _until(nested: Nested, way: Way, trial: LeftOutTrial) -> NDArray[np.float64]:
    return trial.rows[: round(nested.at_s / way.hop_s)] if nested.at_s else trial.rows


def merit(nested: Nested, way: Way, trials: Trials) -> tuple[float, float]:
    """Return the score, and, between equal ones, how likely what was true was held to be."""
    last = [_until(nested, way, t)[-1][t.truth] for t in trials]
    likely = float(np.mean(np.log(np.maximum(last, 1e-12))))
    return round(scores(nested, way, trials)[nested.score], 9), likely


def _stopped(way: Way, inner: Trials, trials: Trials) -> list[tuple[bool, float]]:
    """Return whether each trial is decided right, and when, by a bound learned from others."""
    if not way.stop_error:
        return []
    stopping = fit_stopping([(t.rows, t.truth) for t in inner], way.evidence, way.stop_error)
    decisions = [(t, *stopping.when(t.rows)[:2]) for t in trials]
    return [(label == t.truth, (at + 1) * way.hop_s) for t, at, label in decisions]


def run(name: str, folder: Path) -> None:
    """Choose, decode and print, for one set."""
    nested = SETS[name]
    found = ways(nested, folder)
    done: list[Block] = []
    for block in blocks(nested, found):
        done.append(block)
        way = found[block.chosen].name
        print(f"  block {len(done)}: {way} ({block.merit:.3f})", flush=True)
    chosen = [trial for block in done for trial in block.trials[block.chosen]]
    always = [[t for block in done for t in block.trials[i]] for i in range(len(found))]
    ranked = [scores(nested, way, trials) for way, trials in zip(found, always, strict=True)]
    values = np.array([one[nested.score] for one in ranked])
    top = int(values.argmax())
    print(f"{name}: {len(found)} ways, {len(done)} blocks, {len(chosen)} trials")
    print(f"  chosen without them: {_shown(nested, scores(nested, found[0], chosen))}")
    print(f"  the session file's: {_shown(nested, ranked[0])}")
    print(f"  best of all on them: {_shown(nested, ranked[top])}, {found[top].name}")
    print(f"  the grid: {values.min():.3f} to {values.max():.3f}, median {np.median(values):.3f}")
    print(f"  chosen: {dict(Counter(found[block.chosen].name for block in done))}")
    if stops := [stop for block in done for stop in block.stops]:
        right, seconds = np.array(stops).T
        print(f"  with its stop: {right.sum():.0f} of {len(right)}, mean {seconds.mean():.2f} s")


def _shown(nested: Nested, found: Mapping[str, Any]) -> str:
    low, high = found["auc_ci95" if nested.score == "auc" else "ci95"]
    auc = f", AUC {found['auc']:.3f}" if "auc" in found and nested.score != "auc" else ""
    return f"{nested.score} {found[nested.score]:.3f} [{low:.3f}, {high:.3f}]{auc}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}")
    parser.add_argument("--cache", type=Path, default=ROOT / "leaderboard-cache")
    options = parser.parse_args(arguments)
    if unknown := set(options.sets) - set(SETS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    folder = options.cache / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")  # of the libraries' own, in the middle of a table
    with one_thread():
        for name in options.sets or SETS:
            run(name, folder)


if __name__ == "__main__":
    main()
