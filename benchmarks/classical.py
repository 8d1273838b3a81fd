"""Classical decoders on real recordings: the causal live path, beside the library offline.

Each decoder is fitted on one part of a set and runs over another through the code that runs live.
Beside it stands the same method of scikit-learn or pyriemann, fitted on the same rows and asked for
all rows of the test part at once.

    python benchmarks/classical.py                      # all problems
    python benchmarks/classical.py imagery velocity     # some
    python benchmarks/classical.py imagery --controls   # with labels permuted, truth turned by 50 s

Problems: powers, imagery (EEGMMI S001, imagined fists or feet, each run by the other), electrodes
(the same, all 64 of them, by both metrics of coordinates, and executed, and left or right), p300
(Muse headband, session 1 → 2), direction (eight reaches from spikes), velocity and reaches (hand
from spikes), position (the same, where it is). Recordings are read from ../shared/data, or
BCI_TEST_DATA.
"""

from __future__ import annotations

import argparse
import math
import os
import runpy
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - found by the line above, like the rest

from bci_server import catalog  # noqa: E402
from bci_server.config import Session, load_session  # noqa: E402
from bci_server.evaluation.evaluate import Controls, evaluate  # noqa: E402
from benchmarks.peers import PEERS  # noqa: E402
from decoders.artifact import Artifact  # noqa: E402
from decoders.calibrating.training_rows import training_of  # noqa: E402
from decoders.deciding.trials import Trials, decide  # noqa: E402
from decoders.decoder import Decoder, Training  # noqa: E402
from decoders.describe import describe, describe_pipeline  # noqa: E402
from decoders.gathering import Gathered, gather  # noqa: E402
from decoders.scoring.scores import class_scores, continuous_scores  # noqa: E402
from decoders.stage import Chain, Mismatch  # noqa: E402
from devices.adapters.recording import Recording  # noqa: E402
from devices.signal import Signal  # noqa: E402

DATA = Path(os.environ.get("BCI_TEST_DATA", ROOT.parent / "shared" / "data"))
SESSIONS = ROOT / "examples" / "sessions"
Recipe = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Problem:
    """What is fitted on what, and scored on what: pairs of recordings, and recipes to compare."""

    session: Session
    splits: Sequence[tuple[Sequence[Recording], Sequence[Recording]]]
    recipes: Sequence[Recipe]
    target: tuple[str, ...] = ()


def stage(kind: str, **settings: Any) -> Any:
    """Return a stage of that kind."""
    return catalog.load("stages", kind)(**settings)


def through(session: Session, *stages: Any) -> Session:
    """Return the session with other stages."""
    return replace(session, pipeline=replace(session.pipeline, stages=Chain(stages)))


def by_each_other(session: Session, recipes: Sequence[Recipe], *pairs: tuple[str, str]) -> Problem:
    """Return pairs of runs of EEGMMI, the one of a pair by the other."""

    def run(number: str) -> list[Recording]:
        path = DATA / "eegmmi_s001" / f"S001R{number}.edf"
        return [Recording(str(path), speed=math.inf, chunk_s=1.0)]

    ways = [way for one, other in pairs for way in ((one, other), (other, one))]
    return Problem(session, [(run(fit), run(rest)) for fit, rest in ways], recipes)


IMAGINED, EXECUTED, LEFT_RIGHT = ("06", "10"), ("05", "09"), ("04", "08")


def powers(folder: Path) -> Problem:
    """Return imagery by powers in two bands."""
    bands = {"mu": (8.0, 13.0), "beta": (13.0, 30.0)}
    session = load_session(SESSIONS / "motor_imagery.toml")
    session = through(session, stage("band_power", bands=bands, window_s=2.0))
    kinds = "lda logistic naive_bayes tree forest boosting perceptron mlp"
    recipes: list[Recipe] = [(kind, {}) for kind in kinds.split()]
    extra: list[Recipe] = [("forest", {"thresholds": "random"})]
    recipes += [*extra, ("svm", {}), ("svm", {"kernel": "rbf"})]
    return by_each_other(session, recipes, IMAGINED)


def imagery(folder: Path) -> Problem:
    """Return imagery by covariances."""
    recipes: list[Recipe] = [("tangent_space", {}), ("csp", {})]
    for kind in ("mdm", "fgmdm"):
        recipes += [(kind, {}), (kind, {"metric": "logeuclid"})]
    return by_each_other(load_session(SESSIONS / "motor_imagery.toml"), recipes, IMAGINED)


def electrodes(folder: Path) -> Problem:
    """Return imagery by covariances of all electrodes."""
    session = load_session(SESSIONS / "motor_imagery.toml")
    session = replace(session, pipeline=replace(session.pipeline, channels=()))
    kinds, metrics = ("tangent_space", "mdm", "fgmdm"), ("riemann", "logchol")
    recipes: list[Recipe] = [(kind, {"metric": metric}) for kind in kinds for metric in metrics]
    return by_each_other(session, recipes, IMAGINED, EXECUTED, LEFT_RIGHT)


def p300(folder: Path) -> Problem:
    """Return flashes told apart on a headband, days later."""
    first, second = (
        [
            Recording(str(path), stream="eeg", speed=math.inf, chunk_s=1.0)
            for path in sorted((DATA / "muse_eegnb/P300/subject1" / f"session{n}").glob("*.gz"))
        ]
        for n in (1, 2)
    )
    kinds = ("lda", "logistic", "svm", "naive_bayes", "forest", "boosting", "mlp")
    session = load_session(SESSIONS / "p300.toml")
    return Problem(session, [(first, second)], [(kind, {}) for kind in kinds])


def parts(name: str, source: str, folder: Path, *options: list[str]) -> Iterator[Path]:
    """Yield the parts of a set that its script makes."""
    script = ROOT / "examples" / "datasets" / f"{name}.py"
    sys.path.insert(0, str(script.parent))
    for number, option in enumerate(options):
        path = folder / f"{name}{number}.xdf"
        if not path.exists() and runpy.run_path(str(script))["main"](
            [str(DATA / source), str(path), *option]
        ):
            raise Mismatch(f"{script.name} made no recording of {source}")
        yield path


def m1(folder: Path, truth: str) -> list[list[Recording]]:
    """Return the first 80 % and the rest of a monkey's pursuit of targets."""
    made = parts(
        "m1_stevenson",
        "m1_stevenson/stevenson_first70.npz",
        folder,
        ["--part", "first:0.8"],
        ["--part", "last:0.2"],
    )
    return [[_spikes(path, truth)] for path in made]


def _spikes(path: Path, truth: str) -> Recording:
    return Recording(str(path), stream="spikes", truth=truth, speed=math.inf, chunk_s=1.0)


def velocity(folder: Path) -> Problem:
    """Return the velocity of a hand in pursuit of targets."""
    fit, rest = m1(folder, "velocity")
    recipes: list[Recipe] = [
        ("ridge", {"history": 10, "alpha": (0.1, 0.3, 1.0)}),
        ("wiener_cascade", {"history": 10, "alpha": (0.1, 0.3, 1.0)}),
        ("mlp_regression", {"history": 10}),
        ("kalman", {"lag": 1}),
        ("point_process", {"lag": 1}),
        ("refit_kalman", {}),
    ]
    return Problem(load_session(SESSIONS / "reach.toml"), [(fit, rest)], recipes, ("vx", "vy"))


def position(folder: Path) -> Problem:
    """Return where the hand is."""
    fit, rest = m1(folder, "position")
    recipes: list[Recipe] = [
        ("ridge", {"history": 10, "alpha": (0.1, 0.3, 1.0), "mode": "position"}),
        ("point_process", {"mode": "position"}),
        ("grid_bayes", {}),
    ]
    return Problem(load_session(SESSIONS / "reach.toml"), [(fit, rest)], recipes, ("x", "y"))


def shenoy(folder: Path) -> list[list[Recording]]:
    """Return reaches to eight targets: 80 % of them, and the rest."""
    made = parts(
        "reach_shenoy",
        "reach_shenoy/shenoy_reach_open.npz",
        folder,
        ["--to", "0.8"],
        ["--from", "0.8"],
    )
    return [[_spikes(path, "velocity")] for path in made]


def reaches(folder: Path) -> Problem:
    """Return the velocity of a reaching hand."""
    fit, rest = shenoy(folder)
    recipes: list[Recipe] = [
        ("ridge", {"history": 8, "alpha": (0.03, 0.1, 0.3)}),
        ("wiener_cascade", {"history": 8, "alpha": (0.03, 0.1, 0.3)}),
        ("mlp_regression", {"history": 8}),
        ("kalman", {}),
        ("refit_kalman", {}),
        ("point_process", {}),
    ]
    session = load_session(SESSIONS / "reach_directions.toml")
    return Problem(session, [(fit, rest)], recipes, ("vx", "vy"))


def direction(folder: Path) -> Problem:
    """Return which of eight targets, by the counts of 300 ms."""
    fit, rest = shenoy(folder)
    session = through(load_session(SESSIONS / "reach_directions.toml"))
    trials = Trials({str(k): f"target {k}" for k in range(1, 9)}, 0.0, 0.28)
    session = replace(session, pipeline=replace(session.pipeline, trials=trials))
    kinds = ("poisson", "naive_bayes", "lda", "forest", "mlp")
    return Problem(session, [(fit, rest)], [(kind, {}) for kind in kinds])


PROBLEMS: dict[str, Callable[[Path], Problem]] = {
    f.__name__: f
    for f in (powers, imagery, electrodes, p300, direction, velocity, reaches, position)
}


def library(kind: str, recipe: Decoder, training: Training, test: Training) -> str:
    """Return the score of the library's own method on the same rows; a dash without one."""
    if kind not in PEERS:
        return "–"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the library remarks is not ours to answer here
        said, rows = PEERS[kind](recipe, training, test)
    if recipe.task == "continuous":
        return _shown(continuous_scores(rows.astype(np.float64), said, test.labels))
    truths, decisions, second = [], [], []
    for group in np.unique(test.groups):
        trial = np.flatnonzero(test.groups == group)
        truths.append(int(test.targets[trial[0]]))
        decisions.append(decide(said[trial].tolist()))
        second.append(float(said[trial, 1].mean()))
    return _shown(class_scores(truths, decisions, test.labels, second))


def _shown(scores: dict[str, Any]) -> str:
    if "r2" in scores:
        return " / ".join(
            f"{r2:.2f} [{low:.2f}, {high:.2f}]"
            for r2, (low, high) in zip(scores["r2"], scores["ci95"], strict=True)
        )
    low, high = scores["ci95"]
    auc = f", AUC {scores['auc']:.2f}" if "auc" in scores else ""
    return f"{scores['accuracy']:.2f} [{low:.2f}, {high:.2f}]{auc}"


def _spoiling(recipe: Decoder) -> list[Controls]:
    if recipe.task == "continuous":
        return [Controls(shift_s=50.0)]
    return [Controls(permute_seed=seed) for seed in range(5)]


def _mean(scores: list[dict[str, Any]]) -> str:
    if "r2" in scores[0]:
        return _shown(scores[0])
    accuracy = sum(score["accuracy"] for score in scores) / len(scores)
    return f"{accuracy:.2f} (chance {scores[0]['chance']:.2f}; {len(scores)} times)"


def run(name: str, problem: Problem, controls: bool) -> None:
    """Print a line for each recipe and split of one problem."""
    session, target = problem.session, problem.target
    seen: dict[str, Gathered] = {}

    def rows(recordings: Sequence[Recording], recipe: Decoder) -> Training:
        for recording in recordings:
            if recording.path not in seen:
                seen[recording.path] = gather(recording, session.pipeline)
        gathered = [seen[recording.path] for recording in recordings]
        return training_of(gathered, session.pipeline, recipe, target)

    for kind, settings in problem.recipes:
        recipe: Decoder = catalog.load("decoders", kind)(**settings)
        shown = ", ".join(f"{k} = {v}" for k, v in settings.items() if k != "mode")
        for fit, rest in problem.splits:
            training, test = rows(fit, recipe), rows(rest, recipe)
            model = _model(session, recipe, training, seen[fit[0].path].picked)

            def live(
                how: Controls | None = None,
                model: Artifact = model,
                recipe: Decoder = recipe,
                rest: Sequence[Recording] = rest,
            ) -> dict[str, Any]:
                return evaluate(model, session.pipeline, recipe, rest, target, controls=how).metrics

            cells = [name, kind, shown, _shown(live()), library(kind, recipe, training, test)]
            cells.append(_mean([live(how) for how in _spoiling(recipe)]) if controls else "")
            print(f"| {' | '.join(cells)} |", flush=True)


def _model(session: Session, recipe: Decoder, training: Training, picked: Signal) -> Artifact:
    """Fit without the cross-validation that `calibrate` does beside."""
    return Artifact(
        decoder=describe(recipe),
        pipeline=describe_pipeline(session.pipeline),
        signal=picked,
        labels=training.labels,
        unit=training.unit,
        weights=recipe.fit(training),
        training_sha256="0" * 64,
    )


def main() -> None:
    """Run the problems that were asked for."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("problems", nargs="*", metavar="PROBLEM", help=f"of: {', '.join(PROBLEMS)}")
    ask.add_argument("--controls", action="store_true")
    asked = ask.parse_args()
    if unknown := set(asked.problems) - set(PROBLEMS):
        ask.error(f"no problem {', '.join(unknown)}; there are {', '.join(PROBLEMS)}")
    from threadpoolctl import threadpool_limits

    print("| problem | decoder | settings | live | library, offline | control |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, threadpool_limits(limits=1):
        for problem in asked.problems or PROBLEMS:
            run(problem, PROBLEMS[problem](Path(name)), asked.controls)


if __name__ == "__main__":
    main()
