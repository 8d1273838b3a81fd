"""Real spikes that drift: a fixed decoder, and the same behind a running normaliser.

    python benchmarks/drift.py [--decoder ridge|kalman|textbook|KIND] [--time-constants 5 10]
    python benchmarks/drift.py --decoder rnn --offsets 0.5   # trained with offsets of its inputs

Data: `m1_stevenson`, fitted on its first 80 % as they are. On the rest, gain, offset and loss of
units are injected, growing from nothing at its start to all at its end: gains e^N(0, 0.5²), offsets
of N(0, 1) standard deviations, a tenth of the units silent by the end; then harsher, gains
e^N(0, 1), offsets N(0, 2²) and three tenths. Each once with offsets of either sign, and once
upwards alone, as noise adds to counts. Counts stay at zero or above, so an offset downwards takes
away what a unit has to tell. The time constant of the normaliser (`zscore`) is chosen within the
first 80 %, by both ways together, fitted on their first part and with another drift, not the
harsher one, injected into their last fifth; the rest is looked at once.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server import catalog  # noqa: E402 - found by the line above
from bci_server.config import Session, load_session  # noqa: E402
from bci_server.evaluation.evaluate import evaluate  # noqa: E402
from benchmarks.harmed import Drift, Harmed  # noqa: E402
from benchmarks.textbook_rnn import TextbookRnn  # noqa: E402
from decoders.artifact import Artifact  # noqa: E402
from decoders.calibrating.calibration import fitted as fit  # noqa: E402
from decoders.calibrating.calibration import one_thread  # noqa: E402
from decoders.features.smooth import Smooth  # noqa: E402
from decoders.features.zscore import Zscore  # noqa: E402
from decoders.gathering import gather  # noqa: E402
from decoders.models.kalman import Kalman  # noqa: E402
from decoders.models.ridge import Ridge  # noqa: E402
from decoders.models.rnn import Rnn  # noqa: E402
from decoders.stage import Chain  # noqa: E402
from devices.adapters.recording import Recording  # noqa: E402

DATA = ROOT.parent / "shared" / "data" / "m1_stevenson" / "stevenson_first70.npz"
TIME_CONSTANTS_S = (2.5, 5.0, 10.0, 20.0, 40.0)
WARM_UP_S = 5.0
Offsets = Literal["both", "up"]
WAYS: Sequence[Offsets] = ("both", "up")


class Level(NamedTuple):
    """How far signals drift: deviations of gains and offsets, and the share of lost units."""

    gain: float
    offset: float
    lost: float


MILD, HARSH = Level(0.5, 1.0, 0.1), Level(1.0, 2.0, 0.3)
LEVELS = {"drifting": MILD, "harsher": HARSH}


def part(folder: Path, start: float, stop: float, source: Path = DATA) -> Recording:
    """Return bins of the set from one share to another."""
    file = folder / f"{start:g}-{stop:g}.xdf"
    if not file.exists():
        script = ROOT / "examples" / "datasets" / "m1_stevenson.py"
        command = [sys.executable, script, source, file, "--from", str(start), "--to", str(stop)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Recording(str(file), stream="spikes", truth="velocity", speed=math.inf, chunk_s=10.0)


def drifting(
    recording: Recording, seed: int, offsets: Offsets = "both", level: Level = MILD
) -> Harmed:
    """Return a recording into which a drift is injected."""
    with recording.open() as stream:
        values = np.concatenate([chunk.values for chunk in _chunks(stream)])
    drift = Drift(seed, len(values), *level, values.std(axis=0), offsets)
    return Harmed(recording, drift)


def _chunks(stream: Any) -> Any:
    from devices.device import EndOfStream

    while True:
        try:
            chunk = stream.read(1.0)
        except EndOfStream:
            return
        yield replace(chunk, values=chunk.values.copy())


def decoder_of(kind: str) -> tuple[Any, tuple[Any, ...]]:
    """Return a decoder, and the stages that it wants."""
    if kind == "ridge":
        return Ridge(10, 0.3), ()
    if kind == "kalman":
        return Kalman(lag=1), (Smooth(0.1),)
    if kind == "textbook":
        return TextbookRnn(), ()
    return catalog.load("decoders", kind)(), ()


def fitted(session: Session, recording: Recording) -> Artifact:
    """Fit; how good that is, the rest will show."""
    with one_thread():
        gathered = [gather(recording, session.pipeline)]
        return fit(gathered, session.pipeline, session.decoder, ("vx", "vy"), scored=False)


def r2(session: Session, model: Artifact, device: Any) -> float:
    """Return the mean R² of the two velocities."""
    result = evaluate(model, session.pipeline, session.decoder, [device], ("vx", "vy"))
    return float(np.mean(result.metrics["r2"]))


def compare(
    folder: Path, kind: str, seeds: int, time_constants_s: Sequence[float], offsets: float
) -> dict[str, Any]:
    """Fit, choose, drift and score; the normalised network is trained with `offsets`."""
    session = load_session(ROOT / "examples" / "sessions" / "reach.toml")
    decoder, stages = decoder_of(kind)
    fixed = replace(
        session, decoder=decoder, pipeline=replace(session.pipeline, stages=Chain(stages))
    )

    def normalised(time_constant_s: float) -> Session:
        chain = Chain((Zscore(time_constant_s, WARM_UP_S), *stages))
        steady = replace(decoder, offsets=offsets) if isinstance(decoder, Rnn) else decoder
        return replace(fixed, decoder=steady, pipeline=replace(fixed.pipeline, stages=chain))

    first, last = part(folder, 0.0, 0.64), part(folder, 0.64, 0.8)
    chosen = {}
    for time_constant_s in time_constants_s:
        tried = normalised(time_constant_s)
        model = fitted(tried, first)
        chosen[time_constant_s] = [r2(tried, model, drifting(last, 1000, way)) for way in WAYS]
        said = ", ".join(
            f"{x:.3f} ({way})" for x, way in zip(chosen[time_constant_s], WAYS, strict=True)
        )
        print(f"  within the fit, {time_constant_s:g} s: R² {said}", flush=True)
    best = max(chosen, key=lambda t: sum(chosen[t]))
    whole, rest = part(folder, 0.0, 0.8), part(folder, 0.8, 1.0)
    result: dict[str, Any] = {
        "decoder": kind,
        "offsets": offsets,
        "chosen_s": best,
        "within_fit": chosen,
    }
    for name, tried in (("normalised", normalised(best)), ("fixed", fixed)):
        model = fitted(tried, whole)
        result[name] = {
            "as it is": r2(tried, model, rest),
            **{
                f"{how}, offsets {way}": [
                    r2(tried, model, drifting(rest, seed, way, level)) for seed in range(seeds)
                ]
                for how, level in LEVELS.items()
                for way in WAYS
            },
        }
    return result


def main() -> None:
    """Print the figures."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--decoder", default="ridge")
    ask.add_argument("--seeds", type=int, default=5)
    ask.add_argument("--time-constants", type=float, nargs="*", default=TIME_CONSTANTS_S)
    ask.add_argument("--offsets", type=float, default=0.0, help="that a normalised rnn learns with")
    ask.add_argument("--json", type=Path, help="write them here, too")
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = compare(
            Path(name), asked.decoder, asked.seeds, asked.time_constants, asked.offsets
        )
    for kind in ("fixed", "normalised"):
        print(f"{asked.decoder} {kind}: R² {result[kind]['as it is']:.3f} as it is")
        for how, drifted in list(result[kind].items())[1:]:
            print(f"  {how}: {np.mean(drifted):.3f} ({min(drifted):.3f} to {max(drifted):.3f})")
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
