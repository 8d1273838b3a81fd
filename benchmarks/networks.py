"""What networks reach on real recordings, beside decoders without one: fitted, then evaluated.

Each is fitted on one part and decodes the other, through the path that runs live; then again with
the truth spoiled, which must give chance. Networks train one after the other on one thread.

    python benchmarks/networks.py reach       # m1_stevenson, first 80 % → last 20 %
    python benchmarks/networks.py imagery     # eegmmi_s001, runs 6 → 10 and 10 → 6
    python benchmarks/networks.py executed    # runs 5 → 9 and 9 → 5
    python benchmarks/networks.py reach --only reach_lstm --json reach.json
"""

from __future__ import annotations

import argparse
import json
import math
import runpy
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - found by the line above, like the rest

from bci_server.config import Session, load_session  # noqa: E402
from bci_server.evaluation.evaluate import Controls, evaluate  # noqa: E402
from decoders.calibrating.calibration import calibrate  # noqa: E402
from decoders.models.eeg_tcnet import EegTcnet  # noqa: E402
from decoders.models.rnn import Rnn  # noqa: E402
from decoders.models.shallow_convnet import ShallowConvnet  # noqa: E402
from decoders.models.transformer import Transformer  # noqa: E402
from devices.adapters.recording import Recording  # noqa: E402

SESSIONS = ROOT / "examples" / "sessions"
RUNS = {"imagery": (6, 10), "executed": (5, 9)}
PERMUTATIONS = range(5)
SHIFT_S = 50.0


@dataclass(frozen=True)
class Case:
    """A decoder, and what it is fitted and judged on, each way."""

    name: str
    session: Session
    ways: tuple[tuple[Recording, Recording], ...]


@dataclass(frozen=True)
class Scored:
    """One line of the table: a score for each way, the control's, and what fitting took."""

    name: str
    scores: tuple[float, ...]
    control: float
    fit_cpu_s: float


def session(name: str, **changes: Any) -> Session:
    """Return one of the examples, its decoder scored on one part alone, since we score it here."""
    found = load_session(SESSIONS / f"{name}.toml")
    if hasattr(found.decoder, "folds"):
        changes = {"folds": 1} | changes
    return replace(found, decoder=replace(found.decoder, **changes))  # type: ignore[type-var]


def reach(data: Path, folder: Path) -> Iterator[Case]:
    """Yield decoders of the hand's velocity."""
    (archive,) = (data / "m1_stevenson").glob("*.npz")
    sys.path.insert(0, str(ROOT / "examples" / "datasets"))
    convert = runpy.run_path(str(ROOT / "examples" / "datasets" / "m1_stevenson.py"))["main"]
    for name, part in (("fit", ("--to", "0.8")), ("rest", ("--from", "0.8"))):
        assert convert([str(archive), str(folder / f"{name}.xdf"), *part]) == 0
    parts = [
        Recording(str(folder / f"{n}.xdf"), stream="spikes", truth="velocity", speed=math.inf)
        for n in ("fit", "rest")
    ]
    way = ((parts[0], parts[1]),)
    lstm = session("reach_lstm")
    assert isinstance(lstm.decoder, Rnn)
    transformer = Transformer(members=lstm.decoder.members, folds=1, epochs=60, patience=15)
    yield Case("ridge", session("reach"), way)
    yield Case("reach_lstm", lstm, way)
    yield Case("one network of it", session("reach_lstm", members=1), way)
    yield Case("GRU in its place", session("reach_lstm", cell="gru"), way)
    yield Case("transformer in its place", replace(lstm, decoder=transformer), way)


def movement(data: Path, runs: tuple[int, int]) -> Iterator[Case]:
    """Yield decoders of fists and feet."""
    one, other = (
        Recording(str(data / "eegmmi_s001" / f"S001R{n:02d}.edf"), speed=math.inf) for n in runs
    )
    ways = ((one, other), (other, one))
    eegnet = session("motor_imagery_eegnet")
    yield Case("tangent_space", session("motor_imagery"), ways)
    yield Case("eegnet", eegnet, ways)
    for name, decoder in (
        ("shallow_convnet", ShallowConvnet(epochs=60, folds=1)),
        ("eeg_tcnet", EegTcnet(epochs=60, folds=1)),
    ):
        yield Case(name, replace(eegnet, decoder=decoder), ways)


def scored(case: Case) -> Scored:
    """Fit and judge each way."""
    scores: list[float] = []
    controls: list[float] = []
    begun_s = time.process_time()
    fit_s = 0.0
    target = case.session.target.channels if case.session.target else ()
    for fitted_on, judged_on in case.ways:
        begun_s = time.process_time()
        model = calibrate(case.session.pipeline, case.session.decoder, [fitted_on], target)
        fit_s += time.process_time() - begun_s

        def judge(controls: Controls, *, model: Any = model, on: Any = judged_on) -> float:
            said = evaluate(
                model,
                case.session.pipeline,
                case.session.decoder,
                [on],
                target,
                controls=controls,
            ).metrics
            return float(said["accuracy"] if "accuracy" in said else np.mean(said["r2"]))

        scores.append(judge(Controls()))
        controls += _spoiled(judge, case.session.decoder.task)
    return Scored(case.name, tuple(scores), float(np.mean(controls)), fit_s / len(case.ways))


def _spoiled(judge: Callable[[Controls], float], task: str) -> list[float]:
    if task == "continuous":
        return [judge(Controls(shift_s=SHIFT_S))]
    return [judge(Controls(permute_seed=seed)) for seed in PERMUTATIONS]


def main() -> None:
    """Score, and print the table as it comes."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("what", choices=["reach", *RUNS])
    ask.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    ask.add_argument("--only", metavar="NAME", help="one line of the table")
    ask.add_argument("--json", type=Path, metavar="OUT.json")
    asked = ask.parse_args()
    found: list[Scored] = []
    with tempfile.TemporaryDirectory() as folder:
        cases = (
            reach(asked.data, Path(folder))
            if asked.what == "reach"
            else movement(asked.data, RUNS[asked.what])
        )
        print("| decoder | score | spoiled truth | fit and one fold, CPU s |")
        print("|---|---|---|---|")
        for case in cases:
            if asked.only not in (None, case.name):
                continue
            line = scored(case)
            found.append(line)
            scores = ", ".join(f"{score:.3f}" for score in line.scores)
            print(
                f"| {line.name} | {scores} | {line.control:.2f} | {line.fit_cpu_s:.0f} |",
                flush=True,
            )
    if asked.json is not None:
        rows = [{**line.__dict__, "scores": list(line.scores)} for line in found]
        asked.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
