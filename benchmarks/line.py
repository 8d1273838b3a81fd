"""The whole line as a user would start it: ``bci stream`` and ``bci serve`` as real processes.

What the live benchmarks and the end-to-end tests share.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.config import load_session  # noqa: E402 - found by the line above
from decoders.calibrating.calibration import calibrate  # noqa: E402
from devices.adapters.simulator_eeg import SimulatorEeg  # noqa: E402
from devices.liblsl import LslConfig  # noqa: E402

_END_S = 30.0


@contextmanager
def lsl_of_its_own() -> Iterator[None]:
    """Let this process's children see no other LSL streams, and be seen by none."""
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(LslConfig.isolated().to_ini())
        file.flush()
        before = os.environ.get("LSLAPICFG")
        os.environ["LSLAPICFG"] = file.name
        try:
            yield
        finally:
            if before is None:
                del os.environ["LSLAPICFG"]
            else:
                os.environ["LSLAPICFG"] = before


def bci(*words: str) -> dict[str, Any]:
    """Run one command to its end and return its JSON."""
    command = [sys.executable, "-m", "bci_server", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"bci {' '.join(words)} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@dataclass(frozen=True)
class Server:
    """A running ``bci serve``."""

    process: subprocess.Popen[str]
    url: str
    token: str

    def child(self, module: str) -> psutil.Process:
        """Return its child that runs `module`: ``bci_server.engine`` or ``bci_server.web``."""
        children = psutil.Process(self.process.pid).children()
        (found,) = (c for c in children if module in c.cmdline())
        return found

    def post(self, path: str) -> None:
        """Make a REST call."""
        self._open(path, "POST")

    def get(self, path: str) -> str:
        """Return what a REST call says."""
        return self._open(path, "GET")

    def metrics(self) -> dict[str, float]:
        """Return each figure of ``/metrics``, summed over its labels."""
        figures: dict[str, float] = {}
        for line in self._open("/metrics", "GET").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                name = name.partition("{")[0]
                figures[name] = figures.get(name, 0.0) + float(value)
        return figures

    def _open(self, path: str, method: str) -> str:
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=_END_S) as answer:
            text: str = answer.read().decode()
        return text


@contextmanager
def serving(session: Path, folder: Path, *options: str) -> Iterator[Server]:
    """Serve a session on any free port until the block ends; nothing of it is left then."""
    command = [sys.executable, "-m", "bci_server", "serve", str(session), "--port", "0"]
    command += ["--token-file", str(folder / "token"), "--until-eof", "--json", *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit("bci serve did not start; its reason stands above")
            token = (folder / "token").read_text().strip()
            yield Server(process, json.loads(line)["url"], token)
        finally:
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()
            _end(process)


@contextmanager
def streaming(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``bci stream`` until the block ends, if it does not end by itself."""
    command = [sys.executable, "-m", "bci_server", "stream", *words]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)  # it may have been stopped
                process.terminate()
            _end(process)


def _end(process: subprocess.Popen[Any]) -> None:
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def write_session(folder: Path, name: str, device: SimulatorEeg, hop_s: float) -> Path:
    """Write a session that decodes `device` from the LSL stream `name`, and fit its model.

    Band-pass, log power and a linear decoder: a small one, so that what carries it shows.
    """
    file = folder / f"{name}.toml"
    file.write_text(_SESSION.format(name=name, hop_s=hop_s))
    session = load_session(file)
    minutes = replace(device, speed=math.inf, duration_s=120.0, chunk_s=1.0)
    calibrate(session.pipeline, session.decoder, [minutes]).save(session.model)
    return file


_SESSION = """\
name = "{name}"
[device]
kind = "lsl"
name = "{name}"
[blocks]
hop_s = {hop_s}
[[stages]]
kind = "bandpass"
low_hz = 8.0
high_hz = 30.0
[[stages]]
kind = "log_power"
window_s = 0.5
[decoder]
kind = "lda"
model = "{name}.model"
[trials]
labels = {{ left = "left", right = "right" }}
[commands]
names = ["x"]
values = {{ left = [-1.0], right = [1.0] }}
"""
