"""What it costs when three electrodes are lost while a session runs.

    python benchmarks/lost_channels.py [imagery|executed|flickers|flashes|reach …] [--draws 5]

Fitted on one recording with all electrodes; on the other, three of them, drawn at random, give what
is not a number (or stay flat) from the first sample on. They are filled in as the session's
``[lost_channels]`` says; refused, nothing would be decoded at all.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.config import Session, load_session  # noqa: E402 - found by the line above
from bci_server.evaluation.evaluate import evaluate  # noqa: E402
from benchmarks.drift import part  # noqa: E402
from benchmarks.harmed import Harmed, LostElectrodes  # noqa: E402
from benchmarks.leaderboard.sets import converted, flickers  # noqa: E402
from decoders.artifact import Artifact  # noqa: E402
from decoders.calibrating.calibration import calibrate  # noqa: E402
from decoders.features.bandpass import Bandpass  # noqa: E402
from decoders.features.log_power import LogPower  # noqa: E402
from decoders.lost_channels import LostChannels  # noqa: E402
from decoders.models.csp import Csp  # noqa: E402
from decoders.models.lda import Lda  # noqa: E402
from decoders.models.mdm import Mdm  # noqa: E402
from decoders.models.ridge import Ridge  # noqa: E402
from decoders.models.tangent_space import TangentSpace  # noqa: E402
from decoders.stage import Chain  # noqa: E402
from devices.adapters.recording import Recording  # noqa: E402

SESSIONS = ROOT / "examples" / "sessions"
EEG = ROOT.parent / "shared" / "data" / "eegmmi_s001"
RUNS = {"imagery": (6, 10), "executed": (5, 9)}
FLASHES = {"p300": "lda", "p300_speller": "xdawn"}
N_LOST = 3
Pair = tuple[Recording, Recording]


def sessions_of(task: str) -> dict[str, Session]:
    """Return what is compared."""
    if task == "reach":
        session = load_session(SESSIONS / "reach.toml")
        return {"ridge": replace(session, decoder=Ridge(10, 0.3))}
    if task == "flickers":
        return {"logistic": load_session(SESSIONS / "ssvep.toml")}
    if task == "flashes":
        described = {name: load_session(SESSIONS / f"{name}.toml") for name in FLASHES}
        return {FLASHES[name]: session for name, session in described.items()}
    session = load_session(SESSIONS / "motor_imagery.toml")
    powers = replace(session.pipeline, stages=Chain((Bandpass(8.0, 30.0), LogPower(2.0))))
    return {
        "tangent_space": replace(session, decoder=TangentSpace()),
        "csp": replace(session, decoder=Csp()),
        "mdm": replace(session, decoder=Mdm()),
        "lda": replace(session, decoder=Lda(), pipeline=powers),
    }


def pairs_of(task: str, folder: Path) -> list[Pair]:
    """Return what is fitted on, and what is decoded."""
    if task == "reach":
        return [(part(folder, 0.0, 0.8), part(folder, 0.8, 1.0))]
    if task == "flickers":  # two sessions of two people
        devices = [source.device for source in flickers(folder)]
        return [(devices[fit], devices[rest]) for fit, rest in ((0, 1), (1, 0), (2, 3), (3, 2))]  # type: ignore[misc]
    if task == "flashes":
        made = converted("bci2000", "bci2000/eeg3_1.dat", (0.0, 0.75), (0.75, 1.0))(folder)
        return [(made[0].device, made[1].device)]  # type: ignore[list-item]
    one, other = (
        Recording(str(EEG / f"S001R{run:02d}.edf"), speed=math.inf, chunk_s=1.0)
        for run in RUNS[task]
    )
    return [(one, other), (other, one)]


def score(session: Session, model: Artifact, device: Any) -> tuple[float, float]:
    """Return accuracy and, of two classes, AUC; or the mean R² twice."""
    target = session.target.channels if session.target else ()
    metrics = evaluate(model, session.pipeline, session.decoder, [device], target).metrics
    if "r2" in metrics:
        return float(np.mean(metrics["r2"])), float(np.mean(metrics["r2"]))
    return float(metrics["accuracy"]), float(metrics.get("auc", math.nan))


def cost(
    session: Session, policy: str, pairs: Sequence[Pair], draws: int, how: str, n_lost: int = N_LOST
) -> dict[str, Any]:
    """Return the scores with all electrodes, and with some lost."""
    # Silence of a unit is nothing odd, so that spikes are lost as what is not a number alone.
    recipe = LostChannels(policy, 0.0 if how == "nan" else 1.0, n_lost)  # type: ignore[arg-type]
    session = replace(session, pipeline=replace(session.pipeline, lost_channels=recipe))
    whole, harmed = [], []
    for fit, rest in pairs:
        target = session.target.channels if session.target else ()
        model = calibrate(session.pipeline, session.decoder, [fit], target)
        whole.append(score(session, model, rest))
        for draw in range(draws):
            rng = np.random.default_rng(draw)
            lost = tuple(rng.choice(model.signal.channels, n_lost, replace=False).tolist())
            harm = LostElectrodes(lost, how)  # type: ignore[arg-type]
            harmed.append(score(session, model, Harmed(rest, harm)))
    return {"whole": whole, "lost": harmed}


def main() -> None:
    """Print the table."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("tasks", nargs="*", default=[*RUNS, "flickers", "flashes", "reach"])
    ask.add_argument("--policies", nargs="*", default=["mean", "others", "draw"])
    ask.add_argument("--draws", type=int, default=5)
    ask.add_argument("--how", choices=["nan", "flat"], default="nan")
    ask.add_argument("--json", type=Path, help="write them here, too")
    asked = ask.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for task in asked.tasks:
            pairs = pairs_of(task, Path(folder))
            for name, session in sessions_of(task).items():
                for policy in asked.policies:
                    result = cost(session, policy, pairs, asked.draws, asked.how)
                    found[f"{task} {name} {policy}"] = result
                    whole, lost = np.array(result["whole"]), np.array(result["lost"])
                    print(
                        f"{task:9} {name:14} {policy:7} whole {whole.mean(axis=0).round(3)}, "
                        f"{N_LOST} lost {lost.mean(axis=0).round(3)}, worst draw "
                        f"{lost.min(axis=0).round(3)}",
                        flush=True,
                    )
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
