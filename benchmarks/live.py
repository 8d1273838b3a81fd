"""Real recordings, live: LSL → engine → WebSocket, scored at the client.

Fits on one recording, plays the other over LSL at real speed in a process of its own, serves it
with ``bci serve``, and scores what a client receives: decisions a trial, or velocity against the
hand's. Beside it what ``bci evaluate`` says of the same samples: the hashes must be equal.

    python benchmarks/live.py imagery                  # eegmmi_s001, runs 6 → 10 and 10 → 6
    python benchmarks/live.py executed                 # runs 5 → 9 and 9 → 5
    python benchmarks/live.py reach                    # m1_stevenson, first 80 % → rest
    python benchmarks/live.py imagery --speed 20       # the same, twenty times faster
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.client import Lost, connect  # noqa: E402 - found by the line above
from bci_server.wire import (  # noqa: E402
    CommandMessage,
    MarkerMessage,
    PredictionMessage,
    StatusMessage,
)
from benchmarks.line import bci, lsl_of_its_own, serving  # noqa: E402
from decoders.output_hash import OutputHash  # noqa: E402

SESSIONS = ROOT / "examples" / "sessions"
DATA = ROOT.parent / "shared" / "data"
PAIRS = {"imagery": ("S001R06", "S001R10"), "executed": ("S001R05", "S001R09")}


@dataclass
class Received:
    """What a client received of one session."""

    predictions: list[PredictionMessage] = field(default_factory=list)
    commands: list[CommandMessage] = field(default_factory=list)
    markers: list[MarkerMessage] = field(default_factory=list)
    latency_ms: dict[str, Any] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)

    def outputs_sha256(self) -> str:
        """Return the hash of the decoder's outputs, as ``bci evaluate`` makes it.

        Equal only if each one was received: a client that cannot follow has the newest instead.
        """
        outputs = OutputHash()
        for p in self.predictions:
            outputs.prediction(p.sample, p.probabilities, p.decision, p.cue_sample)
        if not self.predictions:
            for c in self.commands:
                outputs.command(c.sample, c.decoded)
        return outputs.hexdigest()


def live(session: Path, model: Path, stream: list[str], folder: Path) -> Received:
    """Serve `session`, put `stream` on LSL, and return what a client received until it ended."""
    with serving(session, folder, "--model", str(model)) as server:
        return asyncio.run(_collect(server.url, session.stem, server.token, stream))


async def _collect(address: str, name: str, token: str, stream: list[str]) -> Received:
    received = Received()
    async with connect(address, token, session=name) as client:
        messages = client.subscribe("predictions", "commands", "markers", "status")
        await anext(messages)  # subscribed: from here on nothing is missed
        command = [sys.executable, "-m", "bci_server", "stream", *stream, "--until-eof"]
        sender = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, cwd=ROOT
        )
        sending = asyncio.create_task(sender.wait())
        async for message in messages:
            _sort(received, message)
            if sending.done() and _is_over(received, message):
                break
    return received


def _sort(received: Received, message: Any) -> None:
    match message:
        case PredictionMessage():
            received.predictions.append(message)
        case CommandMessage() if message.decoded:
            received.commands.append(message)
        case MarkerMessage():
            received.markers.append(message)
        case StatusMessage() if message.state == "running":
            received.latency_ms = {
                span: {"p50": p.p50, "p99": p.p99} for span, p in message.latency_ms.items()
            }
        case Lost():
            received.lost.append(message)


def _is_over(received: Received, message: Any) -> bool:
    """Return whether the session has noticed that the sender has ended."""
    if not isinstance(message, StatusMessage):
        return False
    if message.state == "stalled":
        return bool(received.predictions or received.commands)
    return message.state in {"ended", "failed"}


def classes(task: str, folder: Path, speed: float) -> bool:
    """Fit and decode both ways; return whether live and offline are equal."""
    session = SESSIONS / "motor_imagery.toml"
    first, second = (DATA / "eegmmi_s001" / f"{run}.edf" for run in PAIRS[task])
    accuracies, equal = [], True
    for train, test in ((first, second), (second, first)):
        model = folder / train.stem
        bci("calibrate", str(session), str(train), "-o", str(model))
        offline = bci("evaluate", str(session), str(test), "--model", str(model))
        stream = ["recording", str(test), "--as", "eeg", "--speed", str(speed), "--wait", "30"]
        got = live(session, model, stream, folder)
        decided = [p for p in got.predictions if p.decision]
        cues = {"T1": "fists", "T2": "feet"}
        meant = {m.sample: cues[m.label] for m in got.markers if m.label in cues}
        right = sum(meant.get(p.cue_sample or 0) == p.decision for p in decided)
        accuracies.append(right / len(meant))
        same = got.outputs_sha256() == offline["outputs_sha256"]
        equal &= same
        print(
            f"{train.stem} → {test.stem}: live {right}/{len(meant)} trials right, offline "
            f"{offline['metrics']['accuracy']:.3f}; {len(got.predictions)} predictions, "
            f"{len(got.lost)} losses; equal to the bit: {same}; {got.latency_ms}"
        )
        control = bci(
            "evaluate", str(session), str(test), "--model", str(model), "--permute-labels", "1"
        )
        print(f"  labels permuted: {control['metrics']['accuracy']:.3f}")
    print(f"{task}: mean accuracy live {sum(accuracies) / 2:.3f}")
    return equal


def reach(folder: Path, speed: float) -> bool:
    """Fit on the first 80 %, decode the rest; return whether live and offline are equal."""
    source = DATA / "m1_stevenson" / "stevenson_first70.npz"
    script = ROOT / "examples" / "datasets" / "m1_stevenson.py"
    for part, name in (("first:0.8", "fit"), ("last:0.2", "rest")):
        out = folder / f"{name}.xdf"
        subprocess.run([sys.executable, script, source, out, "--part", part], check=True)
    session = SESSIONS / "reach.toml"
    model, rest = folder / "reach", folder / "rest.xdf"
    bci("calibrate", str(session), str(folder / "fit.xdf"), "-o", str(model))
    offline = bci("evaluate", str(session), str(rest), "--model", str(model))
    control = bci("evaluate", str(session), str(rest), "--model", str(model), "--shift-truth", "30")
    stream = ["recording", str(rest), "--as", "spikes", "--as-type", "Spikes"]
    got = live(session, model, [*stream, "--speed", str(speed), "--wait", "30"], folder)
    same = got.outputs_sha256() == offline["outputs_sha256"]
    print(
        f"reach: offline R² {offline['metrics']['r2']}, shifted {control['metrics']['r2']}; "
        f"{len(got.commands)} commands live; equal to the bit: {same}; {got.latency_ms}"
    )
    return same


def main() -> None:
    """Run one task and print the figures."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("task", choices=[*PAIRS, "reach"])
    ask.add_argument("--speed", type=float, default=1.0)
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as name, lsl_of_its_own():
        folder = Path(name)
        if asked.task == "reach":
            equal = reach(folder, asked.speed)
        else:
            equal = classes(asked.task, folder, asked.speed)
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
