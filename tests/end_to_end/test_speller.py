"""A speller from the flashes to the word: a person, LSL, the server, the WebSocket, the board."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bci_server.config import load_session
from benchmarks.line import serving, streaming
from decoders.calibrating.calibration import calibrate
from devices.adapters.simulator_eeg import SimulatorEeg

ROOT = Path(__file__).resolve().parents[2]
ITEMS = (*"ABCDEF", "DEL", "OK")
PERIOD_S = 0.12


@pytest.mark.slow
@pytest.mark.usefixtures("lsl")
def test_a_simulated_person_writes_a_word(tmp_path: Path) -> None:
    file = tmp_path / "speller.toml"
    file.write_text((ROOT / "examples" / "sessions" / "speller.toml").read_text())
    session = load_session(file)
    headset = SimulatorEeg(
        n_channels=8,
        paradigm="p300",
        classes=ITEMS,
        flash_period_s=PERIOD_S,
        trial_s=10.0,
        strength=2.0,
        speed=math.inf,
        chunk_s=1.0,
        duration_s=120.0,
    )
    model = calibrate(session.pipeline, session.decoder, [headset])
    assert model.metrics["auc"] > 0.8
    model.save(session.model)
    task = str(ROOT / "examples" / "tasks" / "speller.py")
    with serving(file, tmp_path) as server:
        url = server.url.replace("http", "ws")
        command = [sys.executable, task, url, server.token, "--simulate", "BAD"]
        writing = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert writing.stdout is not None
        assert "waiting" in writing.stdout.readline()  # its wishes can be followed from now on
        words = ("--paradigm", "p300", "--classes", ",".join(ITEMS), "--strength", "2")
        words += ("--n-channels", "8", "--flash-period-s", str(PERIOD_S), "--seed", "1")
        words += ("--intent-stream", "intents", "--as", "headset")
        with streaming("simulator_eeg", *words):
            try:
                out, _ = writing.communicate(timeout=180)
            finally:
                writing.kill()
                writing.wait()
                writing.stdout.close()
    assert out.splitlines()[-1] == "said: BAD", out
