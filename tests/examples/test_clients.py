"""Every example client says in one line why it cannot listen."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NOBODY = "ws://127.0.0.1:1"
TOKEN = "t" * 32
CLIENTS = [
    ("client.py", (NOBODY, TOKEN, "s")),
    ("speech/speak.py", (NOBODY, TOKEN)),
    ("speech/vocoder.py", (NOBODY, TOKEN, "s", "{folder}/out.wav")),
    ("speech/write.py", (NOBODY, TOKEN)),
    ("tasks/bar.py", (NOBODY, TOKEN, "s")),
    ("tasks/cursor.py", (NOBODY, "--token", TOKEN)),
    ("tasks/grasp.py", (NOBODY, TOKEN)),
    ("tasks/obedient.py", (NOBODY, TOKEN, "s")),
    ("tasks/speller.py", (NOBODY, TOKEN)),
]


@pytest.mark.parametrize(("script", "arguments"), CLIENTS, ids=[script for script, _ in CLIENTS])
def test_without_a_server_there_is_one_line(script, arguments, tmp_path):
    given = [argument.format(folder=tmp_path) for argument in arguments]
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, *given],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        cwd=EXAMPLES.parent,
    )
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()
    assert len(said) == 1
    assert "127.0.0.1:1" in said[0]
