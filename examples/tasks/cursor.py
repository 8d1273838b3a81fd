"""A cursor task as a client: calibrate in closed loop, then measure bits a second.

Targets and the cursor's position go to the server as feedback, its commands move the cursor. With
``--simulate`` a simulated person plays: what it means goes out on LSL, where a simulator follows
it (examples/sessions/cursor.toml). Without, the person is you: the position is shown as text.

    python examples/tasks/cursor.py ws://127.0.0.1:8765 --token TOKEN --simulate
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bci_server.client import Client, ClientError, LeaseLost, connect
from bci_server.wire import CommandMessage, VersionMessage
from devices.simulation.person import Person
from examples.tasks.cursor_task import CursorTask

STEP_S = 0.02
POSITION_S = 0.2
LIMIT_M_S = 0.8


class Player:
    """Plays one task over a client.

    Parameters
    ----------
    client
        Connected.
    task
        What is played.
    """

    def __init__(self, client: Client, task: CursorTask) -> None:
        self.task = task
        self.n_versions = 0
        self._client = client
        self._saying: set[asyncio.Task[int | None]] = set()
        self._sample: int | None = None
        self._said_s = 0.0

    async def play(self, seconds: float) -> None:
        """Play for so long."""
        end_s = time.monotonic() + seconds
        self._say("target", self.task.label, self.task.target)
        async for message in self._client.subscribe("commands", "versions"):
            if isinstance(message, CommandMessage):
                self._move(message)
            elif isinstance(message, VersionMessage):
                self.n_versions += 1
                print(f"version {message.version}: {message.reason}", file=sys.stderr)
            if time.monotonic() >= end_s:
                break

    def _move(self, command: CommandMessage) -> None:
        task, sample = self.task, command.sample
        steps = 0 if self._sample is None else max(0, sample - self._sample)
        self._sample = sample
        velocity = np.array(command.values) if command.armed else np.zeros(2)
        if steps and task.step(velocity, steps * STEP_S):
            self._say("target", task.label, task.target)
        if time.monotonic() - self._said_s >= POSITION_S:
            self._said_s = time.monotonic()
            self._say("position", "", task.cursor, sample)

    def _say(self, kind: str, label: str, values: np.ndarray, sample: int | None = None) -> None:
        numbers = tuple(float(v) for v in values)
        call = self._client.feedback(kind, label, numbers, sample)  # type: ignore[arg-type]
        saying = asyncio.create_task(call)
        self._saying.add(saying)
        saying.add_done_callback(self._saying.discard)


async def mean(task: CursorTask, name: str, seed: int) -> None:
    """Publish on LSL what a simulated person means, 50 times a second, until cancelled."""
    import pylsl

    info = pylsl.StreamInfo(name, "Intent", 2, 1 / STEP_S, pylsl.cf_float32, f"{name}-{seed}")
    outlet = pylsl.StreamOutlet(info)
    person = Person(STEP_S, np.random.default_rng(seed))
    due_s = time.monotonic()
    while True:
        outlet.push_sample(person.intend(task.cursor, task.target).tolist())
        due_s += STEP_S
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))


async def run(options: argparse.Namespace) -> dict[str, float]:
    """Connect, calibrate, and measure."""
    task = CursorTask(options.task, seed=options.seed, timeout_s=2.0)
    person = (
        asyncio.create_task(mean(task, options.intent_stream, options.seed))
        if options.simulate
        else None
    )
    try:
        async with connect(options.url, options.token, session=options.session) as client:
            await _is_running(client)
            player = Player(client, task)
            await practise(client, player, options.calibrate_s)
            calibrating, first = task.throughput(), len(task.reaches)
            if options.calibrate_s:
                await client.adapt("off")
            task.timeout_s = 6.0
            await practise(client, player, options.seconds)
            measured = task.throughput(first)
    finally:
        if person is not None:
            person.cancel()
    return {
        "calibrating_bit_s": calibrating,
        "bit_s": measured,
        "targets": float(len(task.reaches) - first),
        "hits": float(sum(reach.hit for reach in task.reaches[first:])),
        "versions": float(player.n_versions),
    }


async def practise(client: Client, player: Player, seconds: float) -> None:
    """Play for so long, armed; whoever loses the lease takes it again: nothing here can be hurt."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        try:
            async with client.armed({"vx": LIMIT_M_S, "vy": LIMIT_M_S}):
                await player.play(end_s - time.monotonic())
        except LeaseLost as lost:
            print(f"disarmed: {lost}", file=sys.stderr)
            await client.clear()


async def _is_running(client: Client) -> None:
    async for message in client.subscribe("status"):
        if getattr(message, "state", "") == "running":
            return


def main(arguments: list[str] | None = None) -> int:
    """Play; print what came of it as JSON; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--token", required=True)
    parser.add_argument("--session", default="cursor")
    parser.add_argument("--task", choices=("centre_out", "random_target"), default="random_target")
    parser.add_argument("--calibrate-s", type=float, default=40.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--simulate", action="store_true", help="a simulated person plays")
    parser.add_argument("--intent-stream", default="cursor-intent")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        print(json.dumps(asyncio.run(run(options))))
    except ClientError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
