"""How well a spiking network decodes, how fast its step is, and what it would use on its hardware.

    python benchmarks/spiking.py [--data ../shared/data] [--part kinematics eeg]

Kinematics: velocity of a hand from 196 units (Stevenson et al. 2011), first 80 % → the rest, beside
the Wiener filter, and recurrent networks of growing width, rectified and gated: the arithmetic of
each, for one bin. EEG: fists or feet, imagined and executed (EEGMMI S001), one run → the other,
both ways, beside LDA on the same features. Everything is decoded by the live path. Steps are timed
at the real cadence: the process sleeps between them; processor time, so that other work on the
machine does not count. Fitted on the first part alone, once a seed.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from threadpoolctl import threadpool_limits  # noqa: E402

from bci_server.config import Session, load_session  # noqa: E402 - found by the line above
from bci_server.evaluation.evaluate import Controls, Evaluation, evaluate  # noqa: E402
from decoders.artifact import Artifact  # noqa: E402
from decoders.calibrating.training_rows import training_of  # noqa: E402
from decoders.decoder import Decoder, Moment, Training  # noqa: E402
from decoders.describe import describe, describe_pipeline  # noqa: E402
from decoders.features.log_power import LogPower  # noqa: E402
from decoders.gathering import gather  # noqa: E402
from decoders.models.lda import Lda  # noqa: E402
from decoders.models.ridge import Ridge  # noqa: E402
from decoders.models.rnn import Rnn  # noqa: E402
from decoders.models.sernn import Sernn  # noqa: E402
from decoders.models.spiking import Spiking  # noqa: E402
from decoders.spiking import energy  # noqa: E402
from decoders.spiking.network import Network, raster  # noqa: E402
from decoders.stage import Chain  # noqa: E402
from devices.adapters.recording import Recording  # noqa: E402
from devices.signal import Chunk  # noqa: E402

SESSIONS = ROOT / "examples" / "sessions"
_STEPS = 200


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument(
        "--part", nargs="+", choices=("kinematics", "eeg"), default=["kinematics", "eeg"]
    )
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    with threadpool_limits(limits=1):
        if "kinematics" in options.part:
            kinematics(options.data, options.seeds)
        if "eeg" in options.part:
            eeg(options.data, options.seeds)
    return 0


def kinematics(data: Path, seeds: int) -> None:
    """Velocity from spikes."""
    session = load_session(SESSIONS / "reach.toml")
    with tempfile.TemporaryDirectory(prefix="spiking-") as folder:
        fit, rest = (
            _stevenson(data, Path(folder) / name, share)
            for name, share in (("fit.xdf", "first:0.8"), ("rest.xdf", "last:0.2"))
        )
        print("## Velocity from 196 units, first 80 % → the rest\n")
        print(
            "| decoder | R² vx / vy | 95 % | truth turned by 50 s | fit s | step ms p50 / p99 "
            "| additions | multiply-adds | nJ a bin |\n" + "|---" * 9 + "|"
        )
        names = session.target.channels if session.target else ()
        counts = gather(rest, session.pipeline).rows
        spiking = [Spiking(seed=seed) for seed in range(seeds)]
        plain = [Sernn(shape=(n, 1, 1), strength=0.0, epochs=60) for n in (8, 32, 100)]
        others = [Ridge(10, 0.3), Ridge(3, 0.3), Ridge(1, 0.3)]
        for decoder in (*spiking, *others, *plain, Sernn(), Rnn(units=32), Rnn()):
            now = replace(session, decoder=decoder)
            model, seconds = _fitted(now, [fit], names)
            result = evaluate(model, now.pipeline, decoder, [rest], names)
            turned = evaluate(
                model, now.pipeline, decoder, [rest], names, controls=Controls(shift_s=50.0)
            )
            operations = _operations(decoder, model, counts)
            _print_values(
                decoder, result, turned, seconds, _step_ms(model, now, counts), operations
            )
            if decoder is spiking[0]:
                spikes, _ = raster(Network.of(model.weights), counts[:500])
                said = ", ".join(f"{100 * float(s.mean()):.1f} %" for s in spikes)
                print(f"<!-- a neuron spikes in {said} of its ticks -->")
        print()


def eeg(data: Path, seeds: int) -> None:
    """Imagined and executed movements of fists and feet."""
    session = load_session(SESSIONS / "motor_imagery.toml")
    bandpass = session.pipeline.stages.stages[0]
    powers = replace(session.pipeline, stages=Chain((bandpass, LogPower(2.0))))
    session = replace(session, pipeline=powers)
    runs = {n: _eegmmi(data, n) for n in (5, 6, 9, 10)}
    print("## Fists or feet, one run → another, 15 trials each\n")
    print(
        "| decoder | imagined 6 → 10 | 10 → 6 | executed 5 → 9 | 9 → 5 | permuted | fit s |\n"
        + "|---" * 7
        + "|"
    )
    decoders: list[Decoder] = [Lda(), *(_eeg_decoder(seed) for seed in range(seeds))]
    for decoder in decoders:
        now = replace(session, decoder=decoder)
        cells, permuted, took = [], [], 0.0
        for fit, judge in ((6, 10), (10, 6), (5, 9), (9, 5)):
            model, took = _fitted(now, [runs[fit]], ())
            result = evaluate(model, now.pipeline, decoder, [runs[judge]])
            metrics = result.metrics
            cells.append(f"{metrics['accuracy'] * metrics['n']:.0f}/{metrics['n']}")
            permuted += [
                evaluate(
                    model,
                    now.pipeline,
                    decoder,
                    [runs[judge]],
                    controls=Controls(permute_seed=seed),
                ).metrics["accuracy"]
                for seed in range(3)
            ]
        chance = f"{np.mean(permuted):.2f}"
        print(f"| {_name(decoder)} | {' | '.join(cells)} | {chance} | {took:.1f} |", flush=True)
    print()


def _eeg_decoder(seed: int) -> Spiking:
    # Of three settings, the one that cross-validation within runs 6 and 10 took.
    return Spiking(
        task="classes",
        neurons=(32,),
        recurrent=False,
        tau_s=(0.05, 0.5),
        tau_out_s=0.2,
        batch=4,
        patience=20,
        seed=seed,
    )


def _fitted(
    session: Session, recordings: Sequence[Recording], target: Sequence[str]
) -> tuple[Artifact, float]:
    """Fit, without the cross-validation that a calibration makes besides."""
    decoder: Any = session.decoder
    gathered = [gather(recording, session.pipeline) for recording in recordings]
    training: Training = training_of(gathered, session.pipeline, decoder, target)
    begun_s = time.monotonic()
    weights = decoder.fit(training)
    return Artifact(
        describe(decoder),
        describe_pipeline(session.pipeline),
        gathered[0].picked,
        training.labels,
        training.unit,
        weights,
        "0" * 64,
    ), time.monotonic() - begun_s


def _step_ms(model: Artifact, session: Session, rows: np.ndarray) -> tuple[float, float]:
    """Return p50 and p99 of a decoder's step, one each hop, in milliseconds."""
    decoder: Any = session.decoder
    decoding = model.starter(decoder)(model.signal)
    hop_s, took_s = session.pipeline.hop_s, []
    for i, row in enumerate(rows[:_STEPS]):
        time.sleep(hop_s)
        chunk = Chunk(np.zeros(1), row[np.newaxis])
        before_s = time.thread_time()
        decoding(chunk, Moment(i, 0.0))
        took_s.append(time.thread_time() - before_s)
    p50, p99 = np.percentile(np.array(took_s) * 1e3, [50, 99])
    return float(p50), float(p99)


def _operations(decoder: Decoder, model: Artifact, rows: np.ndarray) -> energy.Operations:
    n_in, n_out = rows.shape[1], len(model.labels)
    if isinstance(decoder, Spiking):
        return energy.spiking(Network.of(model.weights), rows[:1000])
    if isinstance(decoder, Ridge):
        return energy.dense(n_in * decoder.history, n_out)
    if isinstance(decoder, Rnn):
        return energy.gated(n_in, decoder.units, n_out, 4)
    assert isinstance(decoder, Sernn)
    return energy.recurrent(n_in, math.prod(decoder.shape), n_out)


def _print_values(
    decoder: Decoder,
    result: Evaluation,
    turned: Evaluation,
    seconds: float,
    step_ms: tuple[float, float],
    operations: energy.Operations,
) -> None:
    def both(values: Sequence[float]) -> str:
        return " / ".join(f"{v:.3f}" for v in values)

    ci = " / ".join(f"[{low:.2f}, {high:.2f}]" for low, high in result.metrics["ci95"])
    print(
        f"| {_name(decoder)} | {both(result.metrics['r2'])} | {ci} | {both(turned.metrics['r2'])} "
        f"| {seconds:.0f} | {step_ms[0]:.2f} / {step_ms[1]:.2f} | {operations.additions:.0f} "
        f"| {operations.multiply_adds:.0f} | {operations.energy_nj:.1f} |",
        flush=True,
    )


def _name(decoder: Any) -> str:
    plain = type(decoder)()
    said = describe(decoder)
    changed = {k: v for k, v in said.items() if v != describe(plain)[k]}
    return " ".join([f"`{said['kind']}`", *(f"{k} = {v}" for k, v in changed.items())])


def _stevenson(data: Path, out: Path, share: str) -> Recording:
    archive = next(iter(sorted((data / "m1_stevenson").glob("*.npz"))))
    script = ROOT / "examples" / "datasets" / "m1_stevenson.py"
    subprocess.run(
        [sys.executable, str(script), str(archive), str(out), "--part", share],
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    return Recording(str(out), stream="spikes", truth="velocity", speed=math.inf, chunk_s=1.0)


def _eegmmi(data: Path, number: int) -> Recording:
    path = data / "eegmmi_s001" / f"S001R{number:02d}.edf"
    return Recording(str(path), speed=math.inf, chunk_s=1.0)


if __name__ == "__main__":
    sys.exit(main())
