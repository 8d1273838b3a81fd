"""How the demo is put together: calibrate, stream, serve, show.

Three processes besides this one: the streamer, which puts the simulator on LSL, and the server with
its engine. Each of them ends when its stdin closes, so none outlives this process, however it ends.
LSL is configured for this machine alone, in a session of its own: nothing on the network is seen
or disturbed.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bci_server.cli.demo_snippets import snippets
from bci_server.cli.demo_view import watch
from bci_server.cli.outcome import CommandError, Exit
from bci_server.cli.score_table import score_lines
from bci_server.cli.screen import activity, results

__all__ = ["run"]

PORT = 8765

SESSION = """\
name = "demo"

[device]
kind = "lsl"
name = "demo-headset"
markers = { name = "demo-headset-markers" }

[blocks]
hop_s = 0.1
channels = ["C3", "Cz", "C4"]

[[stages]]
kind = "bandpass"
low_hz = 8.0
high_hz = 30.0

[[stages]]
kind = "covariance"
window_s = 1.0

[decoder]
kind = "tangent_space"
model = "model"

[trials]
labels = { left = "left", right = "right" }

[commands]
names = ["x"]
values = { left = [-1.0], right = [1.0] }
unit = "m/s"
"""

_PARTICIPANT: dict[str, Any] = {"n_channels": 8, "strength": 1.5, "pause_s": 1.5}
_FIT_S = 90.0
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where the demo's server is, and the token for it."""

    url: str
    token: str


def run(seconds: float, port: int | None) -> None:
    """Show the demo.

    Parameters
    ----------
    seconds
        How long after the first output it ends; 0: when it is told to.
    port
        Of the server; None: the usual one if it is free, else any.
    """
    with _stopping(), tempfile.TemporaryDirectory(prefix="bci-demo-") as folder:
        here = Path(folder)
        environment = _environment(here)
        session = here / "demo.toml"
        session.write_text(SESSION)
        _fit(session)
        with _streamer(environment), _server(session, _free_port(port), environment) as server:
            _show(server)
            asyncio.run(_watch(server, seconds))


@contextmanager
def _stopping() -> Iterator[None]:
    """End in good order on SIGTERM as on Ctrl-C, also where a shell started us deaf to that."""
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, signal.default_int_handler) for kind in kinds}
    try:
        yield
    except KeyboardInterrupt:
        results().print("\nEnded.")
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _environment(folder: Path) -> dict[str, str]:
    from devices.liblsl import LslConfig

    config = folder / "lsl_api.cfg"
    config.write_text(LslConfig.isolated().to_ini())
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("BCI_")}
    quiet = {"BCI_LOG_LEVEL": "warning"}  # what it says is shown, not logged
    return {**inherited, **quiet, "LSLAPICFG": str(config), "PYTHONUNBUFFERED": "1"}


def _fit(session_file: Path) -> None:
    """Fit the decoder on a minute and a half of such a participant, as fast as it goes."""
    from bci_server.config import load_session
    from decoders.calibrating.calibration import calibrate
    from devices.adapters.simulator_eeg import SimulatorEeg

    session = load_session(session_file)
    headset = SimulatorEeg(**_PARTICIPANT, seed=1, speed=math.inf, duration_s=_FIT_S, chunk_s=0.5)
    with activity() as tell:
        model = calibrate(session.pipeline, session.decoder, [headset], progress=tell)
    model.save(session.model)
    line = score_lines(model.metrics)[0]
    results().print(f"Calibrated on {_FIT_S:g} s of a simulated participant: {line}.")


@contextmanager
def _streamer(environment: dict[str, str]) -> Iterator[None]:
    options = [w for k, v in _PARTICIPANT.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    arguments = ["stream", "simulator_eeg", "--seed", "2", "--as", "demo-headset", *options]
    with _child([*arguments, "--until-eof"], environment, quiet=True):
        yield


@contextmanager
def _server(session: Path, port: int, environment: dict[str, str]) -> Iterator[Server]:
    token_file = session.parent / "token"
    arguments = ["serve", str(session), "--host", "127.0.0.1", "--port", str(port)]
    with _child(
        [*arguments, "--token-file", str(token_file), "--until-eof", "--json"], environment
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise CommandError("the server did not start; it says why above", Exit.FAILED)
        yield Server(json.loads(said)["url"], token_file.read_text().strip())


@contextmanager
def _child(
    arguments: Sequence[str], environment: dict[str, str], quiet: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run a `bci` command until the block ends; it ends by itself if this process is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bci_server", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if quiet else None,
        text=True,
        env=environment,
        process_group=0,  # Ctrl-C is for this process, which ends the others in order
    )
    with process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port(wanted: int | None) -> int:
    if wanted is not None:
        return wanted
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return 0
    return PORT


def _show(server: Server) -> None:
    console = results()
    for title, text in snippets(server.url, server.token):
        console.print(f"\n[bold]{title}[/]")
        console.print(text, markup=False, soft_wrap=True)
    console.print("\n[bold]Decoded, as it arrives[/] (Ctrl-C ends)")


async def _watch(server: Server, seconds: float) -> None:
    """Show the output, for so many seconds from the first of it."""

    def first() -> None:
        if seconds:
            asyncio.get_running_loop().call_later(seconds, watching.cancel)

    watching = asyncio.ensure_future(watch(server.url, server.token, first))
    await asyncio.wait([watching])
    if not watching.cancelled():
        watching.result()
