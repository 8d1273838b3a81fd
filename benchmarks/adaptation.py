"""What adaptation is worth: a cursor calibrated from nothing, ten days of drift, real drift.

    python benchmarks/adaptation.py             # everything, about 15 minutes
    python benchmarks/adaptation.py cursor      # or: days, ssvep, m1
    python benchmarks/adaptation.py --seeds 4   # fewer simulated participants

The simulated participants (`devices/simulation`) are not those that settings were chosen on (seeds
0 to 3). Real recordings are read from ../shared/data, or BCI_TEST_DATA: the exoskeleton's SSVEP,
fitted on one session and decoded on the other, and M1, fitted on the first third and decoded on
the last. Beside each figure stands the decoder that does not learn, on the same samples, and the
control: what is taught permuted (classes) or turned by 100 s (values), behind shadow mode.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - found by the line above, like the rest
from threadpoolctl import threadpool_limits  # noqa: E402

from bci_server.config import load_session  # noqa: E402
from benchmarks.closed_loop import STEP_S, Loop, blank, population  # noqa: E402
from decoders.adapting.adaptation import Adaptation, Rule  # noqa: E402
from decoders.adapting.rules.recentre import Recentre  # noqa: E402
from decoders.adapting.rules.recursive_lda import RecursiveLda  # noqa: E402
from decoders.adapting.rules.recursive_ridge import RecursiveRidge  # noqa: E402
from decoders.adapting.rules.smooth_batch import SmoothBatch  # noqa: E402
from decoders.artifact import Artifact  # noqa: E402
from decoders.calibrating.calibration import calibrate  # noqa: E402
from decoders.decoder import Decoder, Training  # noqa: E402
from decoders.describe import describe, describe_pipeline  # noqa: E402
from decoders.features.covariance import Covariance  # noqa: E402
from decoders.features.filter_bank import FilterBank  # noqa: E402
from decoders.gathering import read_all  # noqa: E402
from decoders.models.kalman import Kalman  # noqa: E402
from decoders.models.lda import Lda  # noqa: E402
from decoders.models.ridge import Ridge  # noqa: E402
from decoders.models.tangent_space import TangentSpace  # noqa: E402
from decoders.output import Adapted, Command, Prediction  # noqa: E402
from decoders.pipeline import Pipeline  # noqa: E402
from decoders.stage import Chain  # noqa: E402
from devices.adapters.recording import Recording  # noqa: E402
from devices.signal import Chunk, Event, Marker, Signal  # noqa: E402

DATA = Path(os.environ.get("BCI_TEST_DATA", ROOT.parent / "shared" / "data"))
STEPS = Pipeline(STEP_S)
CALIBRATING = SmoothBatch(batch_s=5.0, intent="goal")
UNSUPERVISED = SmoothBatch(batch_s=20.0, half_life_s=120.0, targets="inferred", intent="goal")
FIRST_SEED, DAYS, SESSION_S, SCORED_S = 10, 10, 120.0, 60.0


def calibrated(seed: int) -> tuple[Loop, Artifact]:
    """Return a session that began with nothing 40 s ago, and what it has learned."""
    loop = Loop(blank(STEPS), STEPS, population(seed), Adaptation(rules=(CALIBRATING,)), seed)
    loop.task.timeout_s = 2.0
    loop.go(40)
    loop.task.timeout_s = 6.0
    return loop, loop.taught()


def throughput(loop: Loop, seconds: float, *switches: str) -> float:
    """Return the throughput over the next seconds, in bit/s."""
    first = len(loop.task.reaches)
    loop.go(seconds, *switches)
    return loop.task.throughput(first)


def cursor(seeds: Sequence[int]) -> dict[str, Any]:
    """Throughput after 40 s of calibration from a decoder that knows nothing."""
    found = [throughput(calibrated(seed)[0], SCORED_S, "off") for seed in seeds]
    print(f"after 40 s, {len(seeds)} participants: {_spread(found)} bit/s", flush=True)
    return {"bit_s": found}


def days(seeds: Sequence[int]) -> dict[str, Any]:
    """Throughput over ten days, fixed and adapting without being told any target."""
    adapting, fixed = [], []
    for seed in seeds:
        loop, first = calibrated(seed)
        rows = [[throughput(loop, SCORED_S, "off")], []]
        model = first
        for day in range(1, DAYS + 1):
            units = population(seed, day)
            adaptation = Adaptation(rules=(UNSUPERVISED,))
            use = Loop(model, STEPS, units, adaptation, 1000 * seed + day, tells=False)
            use.go(SESSION_S - SCORED_S)
            rows[0].append(throughput(use, SCORED_S))
            model = use.taught()
            still = Loop(first, STEPS, units, None, 1000 * seed + day, tells=False)
            rows[1].append(throughput(still, SCORED_S))
        adapting.append(rows[0])
        fixed.append([rows[0][0], *rows[1]])
        for name, row in (("adapting", rows[0]), ("fixed", fixed[-1])):
            print(f"participant {seed} {name:<9}", *(f"{v:.2f}" for v in row), flush=True)
    a, f = np.array(adapting), np.array(fixed)
    last = slice(-3, None)
    kept = [float(x[:, last].mean() / x[:, 0].mean()) for x in (a, f)]
    print(f"days 8 to 10 against day 0: adapting {kept[0]:.2f}, fixed {kept[1]:.2f}", flush=True)
    return {"adapting": adapting, "fixed": fixed, "kept": kept}


def ssvep() -> dict[str, Any]:
    """One session of SSVEP to the other, both ways, two people: trials that were right."""
    session = load_session(ROOT / "examples" / "sessions" / "ssvep.toml")
    trials = session.pipeline.trials
    bank = FilterBank({"13": (12.0, 14.0), "17": (16.0, 18.0), "21": (20.0, 22.0)})
    covariances = replace(
        session.pipeline, stages=Chain((bank, Covariance(3.0, 0.01))), trials=trials
    )
    ways: dict[str, tuple[Pipeline, Decoder, Rule]] = {
        "lda, cued": (session.pipeline, Lda(), RecursiveLda("cues", 0.1, 0.02)),
        "lda, its own decisions": (
            session.pipeline,
            Lda(),
            RecursiveLda("own", 0.1, 0.0, 0.6),
        ),
        "tangent_space, recentre": (covariances, TangentSpace(), Recentre(time_constant_s=120.0)),
    }
    results = {}
    for name, (pipeline, decoder, rule) in ways.items():
        fixed, adapted, taken = [], [], 0
        for folder, paths in _ssvep_files():
            recordings = [
                Recording(str(folder / p), unit="nV", speed=math.inf, chunk_s=1.0) for p in paths
            ]
            for fit, rest in (recordings, recordings[::-1]):
                model = calibrate(pipeline, decoder, [fit])
                fixed += _right(model, pipeline, decoder, rest, None)[0]
                adapted += _right(model, pipeline, decoder, rest, Adaptation(rules=(rule,)))[0]
                control = Adaptation(rules=(rule,), shadow_trials=10, shadow_margin=0.1)
                taken += _right(model, pipeline, decoder, rest, control, permute=0)[1]
        results[name] = _compare(name, np.array(fixed), np.array(adapted), "of the trials")
        results[name]["taken_over_by_permuted"] = taken
        print(f"  permuted, behind shadow: took over {taken} times in {len(fixed)} trials")
    return results


def m1() -> dict[str, Any]:
    """Decode the last third of an M1 recording after the first: R² in stretches of 10 s."""
    with np.load(DATA / "m1_stevenson" / "stevenson_first70.npz") as arrays:
        spikes = np.asarray(arrays["spikes"], np.float32)
        velocity = np.asarray(arrays["handVel"], np.float64)[:, :2]
    third = len(spikes) // 3
    signal = Signal(20.0, tuple(f"unit-{k:03d}" for k in range(spikes.shape[1])), "count")
    plain = Pipeline(0.05)
    ways: dict[str, tuple[Decoder, Rule]] = {
        "ridge": (Ridge(10, 0.3), RecursiveRidge(10.0, 0.0, 60.0)),
        "kalman": (Kalman(1), SmoothBatch(20.0, 120.0, shrinkage=0.05)),
    }
    results = {}
    for name, (decoder, rule) in ways.items():
        rows = spikes[:third].astype(np.float64)
        training = Training(
            signal, rows, velocity[:third], np.zeros(third, np.int64), ("vx", "vy"), "m/s"
        )
        model = Artifact(
            describe(decoder),
            describe_pipeline(plain),
            signal,
            ("vx", "vy"),
            "m/s",
            decoder.fit(training),
            "0" * 64,
        )
        x, y = spikes[-third:], velocity[-third:]
        scores = [
            _stretches(model, decoder, x, y, adaptation, told)[0]
            for adaptation, told in ((None, y), (Adaptation(rules=(rule,)), y))
        ]
        results[name] = _compare(f"{name}, told velocities", *scores, "R²")
        control = Adaptation(rules=(rule,), shadow_trials=10, shadow_margin=0.05)
        turned, taken = _stretches(model, decoder, x, y, control, np.roll(y, 2000, axis=0))
        results[name] |= {"turned_by_100_s": float(turned.mean()), "taken_over_by_turned": taken}
        print(f"  turned by 100 s, behind shadow: took over {taken} times, R² {turned.mean():.3f}")
    return results


def _ssvep_files() -> list[tuple[Path, tuple[str, str]]]:
    folders = [DATA / "ssvep_exo" / f"subject0{k}" for k in (3, 4)]
    return [(f, tuple(sorted(p.name for p in f.glob("*_raw.fif")))) for f in folders]  # type: ignore[misc]


def _right(
    model: Artifact,
    pipeline: Pipeline,
    decoder: Decoder,
    recording: Recording,
    adaptation: Adaptation | None,
    permute: int | None = None,
) -> tuple[list[bool], int]:
    """Return of each trial whether it was decided rightly, and how often a candidate took over."""
    whole = replace(pipeline, adaptation=adaptation)
    trials, decided, truth, taken = pipeline.trials, {}, {}, 0
    assert trials is not None
    with recording.open() as stream:
        run = model.run(stream.signal, whole, decoder)
        read = [(c.times.copy(), c.values.copy(), m) for c, m, _ in read_all(stream)]
        cues = [m.label for _, _, markers in read for m in markers if m.label in trials.labels]
        if permute is not None:
            cues = [str(c) for c in np.random.default_rng(permute).permutation(cues)]
        waiting = iter(cues)
        for times, values, markers in read:
            fed = [Marker(m.time_s, next(waiting)) for m in markers if m.label in trials.labels]
            for block in run.feed(Chunk(times, values), fed):
                for trial in trials.of(block.moment.events, stream.signal.rate_hz):
                    truth[trial.cue] = trial.label
                for output in block.outputs:
                    if isinstance(output, Prediction) and output.cue_sample is not None:
                        decided[output.cue_sample] = output.decision
                    taken += isinstance(output, Adapted) and output.reason.startswith("shadow")
    return [decided.get(cue) == label for cue, label in truth.items()], taken


def _stretches(
    model: Artifact,
    decoder: Decoder,
    x: np.ndarray,
    y: np.ndarray,
    adaptation: Adaptation | None,
    told: np.ndarray,
) -> tuple[np.ndarray, int]:
    """Return R² in stretches of 10 s, and how often a candidate took over; told after the row."""
    run = model.run(model.signal, Pipeline(0.05, adaptation=adaptation), decoder)
    said, taken = np.zeros_like(y), 0
    for i, row in enumerate(x):
        before = Event(i - 1, "", "client", "label", tuple(told[i].tolist()), i - 1)
        events = (before,) if adaptation is not None and i else ()
        for block in run.feed(Chunk(np.array([i / 20.0]), row[None]), (), events):
            for output in block.outputs:
                if isinstance(output, Command):
                    said[i] = output.values
                taken += isinstance(output, Adapted) and output.reason.startswith("shadow")
    error = ((said - y) ** 2).reshape(-1, y.shape[1])
    total = ((y - y.mean(axis=0)) ** 2).mean(axis=0)
    n = len(y) // 200 * 200
    # Against the variance of the whole: a stretch of rest has hardly one of its own.
    return 1 - (error[:n] / total).mean(axis=1).reshape(-1, 200).mean(axis=1), taken


def _compare(name: str, fixed: np.ndarray, adapted: np.ndarray, unit: str) -> dict[str, Any]:
    gain = adapted.astype(float) - fixed.astype(float)
    rng = np.random.default_rng(0)
    drawn = gain[rng.integers(0, len(gain), (4000, len(gain)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    print(
        f"{name}: fixed {fixed.mean():.3f}, adapting {adapted.mean():.3f} {unit}; "
        f"gain {gain.mean():+.3f} ({low:+.3f} to {high:+.3f}, n = {len(gain)})",
        flush=True,
    )
    return {
        "fixed": float(fixed.mean()),
        "adapting": float(adapted.mean()),
        "gain": float(gain.mean()),
        "ci95": [float(low), float(high)],
        "n": len(gain),
    }


def _spread(values: Sequence[float]) -> str:
    return f"mean {np.mean(values):.2f}, least {min(values):.2f}, most {max(values):.2f}"


def main() -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", help="cursor, days, ssvep, m1; default: all")
    parser.add_argument("--seeds", type=int, default=6, help="simulated participants")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.seeds)
    parts: dict[str, Any] = {
        "cursor": lambda: cursor(seeds),
        "days": lambda: days(seeds),
        "ssvep": ssvep,
        "m1": m1,
    }
    results = {}
    with threadpool_limits(1):
        for name in arguments.parts or parts:
            results[name] = parts[name]()
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
