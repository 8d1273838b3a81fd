"""Real recordings, live: LSL → engine → WebSocket, scored at the client.

``bci calibrate`` on one recording; the other goes over LSL at real speed from a process of its own,
through ``bci serve``, to a client, and what that receives is scored: decisions a trial, or velocity
against the hand's. Beside it what ``bci evaluate`` says of the same samples: the hashes must be
equal.

    python benchmarks/live.py                          # every session file there is a recording for
    python benchmarks/live.py imagery                  # eegmmi_s001, runs 6 → 10 and 10 → 6
    python benchmarks/live.py executed                 # runs 5 → 9 and 9 → 5
    python benchmarks/live.py reach                    # m1_stevenson, first 80 % → rest
    python benchmarks/live.py imagery --speed 20       # the same, twenty times faster

Recordings are read from ../shared/data, or BCI_TEST_DATA. To add a session file: a line
in benchmarks/live_tasks.py.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.client import Lost, connect  # noqa: E402 - found by the line above
from bci_server.config import Session, load_session  # noqa: E402
from bci_server.evaluation.groups import Source  # noqa: E402
from bci_server.wire import (  # noqa: E402
    CommandMessage,
    MarkerMessage,
    PredictionMessage,
    StatusMessage,
    TokenMessage,
)
from benchmarks.line import bci, lsl_of_its_own, serving  # noqa: E402
from benchmarks.live_tasks import TASKS, Line  # noqa: E402
from decoders.output_hash import OutputHash  # noqa: E402
from devices.adapters.recording import Recording  # noqa: E402

SESSIONS = ROOT / "examples" / "sessions"


@dataclass
class Received:
    """What a client received of one session."""

    predictions: list[PredictionMessage] = field(default_factory=list)
    commands: list[CommandMessage] = field(default_factory=list)
    tokens: list[TokenMessage] = field(default_factory=list)
    markers: list[MarkerMessage] = field(default_factory=list)
    latency_ms: dict[str, Any] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)

    def outputs_sha256(self) -> str:
        """Return the hash of the decoder's outputs, as ``bci evaluate`` makes it.

        Equal only if each one was received: a client that cannot follow has the newest instead.
        """
        outputs = OutputHash()
        said = [*self.predictions, *self.tokens]
        for p in sorted(said, key=lambda message: message.sample):  # a token follows its flash
            if isinstance(p, PredictionMessage):
                outputs.prediction(p.sample, p.probabilities, p.decision, p.cue_sample)
            else:
                outputs.token(p.sample, p)
        if not said:
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
        messages = client.subscribe("predictions", "commands", "tokens", "markers", "status")
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
        case TokenMessage():
            received.tokens.append(message)
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


def over(line: Line, folder: Path, speed: float) -> bool:
    """Fit, decode live and offline, and print both; return whether they are equal."""
    file = SESSIONS / f"{line.session}.toml"
    session = load_session(file)
    fit = [_path(source) for source in line.fit(folder)]
    rest = _path(line.rest(folder)[0])
    model, of = folder / f"{line.session}-{fit[0].stem}", ["--stream", line.stream]
    bci("calibrate", str(file), *map(str, fit), *of, "-o", str(model))
    asked = [str(file), str(rest), *of, "--model", str(model)]
    offline, control = bci("evaluate", *asked), bci("evaluate", *asked, *line.control)
    words = ["recording", str(rest), *of, "--as", session.device.name]  # type: ignore[attr-defined]
    got = live(file, model, [*words, "--speed", str(speed), "--wait", "30"], folder)
    same = got.outputs_sha256() == offline["outputs_sha256"]
    print(
        f"{line.session}, {fit[0].name} → {rest.name}: live {_scored(session, got)}; offline "
        f"{_shown(offline)}, control {_shown(control)}; {len(got.lost)} losses; equal to the bit: "
        f"{same}; {got.latency_ms}",
        flush=True,
    )
    return same


def _path(source: Source) -> Path:
    if not isinstance(source.device, Recording):
        raise TypeError(f"{source.name} is no file")
    return Path(source.device.path)


def _scored(session: Session, got: Received) -> str:
    """Say how many of the trials that a client heard of were decided right."""
    trials = session.pipeline.trials
    if trials is None:
        return f"{len(got.commands)} commands"
    told = f"{len(got.predictions)} predictions"
    if got.tokens:
        told += f", {''.join(t.text for t in got.tokens if t.is_final)!r} spelled"
    meant = {m.sample: trials.labels[m.label] for m in got.markers if m.label in trials.labels}
    decided = [p for p in got.predictions if p.decision]
    if session.pipeline.uncued is not None:
        return f"{told}, {len(decided)} decisions without a cue"
    right = sum(
        meant.get(-1 if p.cue_sample is None else p.cue_sample) == p.decision for p in decided
    )
    return f"{right}/{len(meant)} trials right, {told}"


def _shown(evaluation: Mapping[str, Any]) -> str:
    metrics = evaluation["metrics"]
    kept = ("accuracy", "auc", "r2", "spelled")
    return str({name: metrics[name] for name in kept if name in metrics})


def main() -> None:
    """Run what is asked for and print the figures."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)}")
    ask.add_argument("--speed", type=float, default=1.0)
    asked = ask.parse_args()
    if unknown := set(asked.tasks) - set(TASKS):
        ask.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    with tempfile.TemporaryDirectory() as name, lsl_of_its_own():
        lines = [line for task in asked.tasks or TASKS for line in TASKS[task]]
        equal = [over(line, Path(name), asked.speed) for line in lines]
    print(f"{sum(equal)} of {len(equal)} equal to the bit")
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
