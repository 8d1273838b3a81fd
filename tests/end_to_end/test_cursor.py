"""The whole loop as real processes: a person, LSL, the server, the WebSocket, a cursor."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.line import serving

ROOT = Path(__file__).resolve().parents[2]
TASKS = ROOT / "examples" / "tasks"


def script(name: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(TASKS / name), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.slow
def test_a_cursor_is_calibrated_over_the_public_interfaces(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "sessions" / "cursor.toml").read_text()
    file = tmp_path / "cursor.toml"
    file.write_text(text)
    made = script("blank_model.py", str(file))
    _, said = made.communicate(timeout=120)
    assert made.returncode == 0, said
    with serving(file, tmp_path) as server:
        url = server.url.replace("http", "ws")
        words = ("--token", server.token, "--simulate", "--calibrate-s", "25", "--seconds", "15")
        playing = script("cursor.py", url, *words)
        out, said = playing.communicate(timeout=240)
    assert playing.returncode == 0, said
    result = json.loads(out)
    assert result["versions"] >= 3
    # A loaded machine answers late, which costs a person's speed: far below what it reaches idle.
    assert result["hits"] >= 4
    assert result["bit_s"] > result["calibrating_bit_s"]
    assert result["bit_s"] > 0.8
