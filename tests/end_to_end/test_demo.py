"""``bci demo`` as a real process: what it prints works, and nothing is left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

pytestmark = pytest.mark.slow

_DEADLINE_S = 120.0


@contextmanager
def demo(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "bci_server", "demo", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], wanted: str) -> str:
    """Return what was printed up to the first line that matches."""
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if re.search(wanted, line):
            return said
    raise AssertionError(f"never said {wanted!r}, but:\n{said}\n{process.communicate()[1]}")


def section(said: str, title: str, following: str) -> str:
    found = re.search(rf"^{title}[^\n]*\n(.*?)\n\n{following}", said, re.MULTILINE | re.DOTALL)
    assert found, said
    return found[1]


def first_line(command: list[str]) -> str:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
        return line


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def assert_all_end(processes: list[psutil.Process]) -> None:
    assert len(processes) >= 4  # streamer, supervisor, web, engine
    _, alive = psutil.wait_procs(processes, timeout=60)
    for left in alive:
        left.kill()
    assert not alive


def test_it_decodes_ends_by_itself_and_leaves_nothing() -> None:
    with demo("--seconds", "9") as process:
        said = until(process, r"left █.* right")
        children = descendants(process)
        rest, errors = process.communicate(timeout=_DEADLINE_S)
    assert process.returncode == 0, errors
    assert "Calibrated on" in said
    assert re.search(r"(intended|decided) (left|right)", rest)
    assert "Traceback" not in errors
    assert_all_end(children)


def test_what_it_says_to_paste_works_and_ctrl_c_ends_it() -> None:
    with demo() as process:
        said = until(process, r"left █.* right")
        children = descendants(process)
        curl = subprocess.run(
            section(said, "curl", "Python"),
            shell=True,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=True,
        )
        assert '"name":"demo"' in curl.stdout
        python = [sys.executable, "-c", section(said, "Python", "JavaScript")]
        assert "('left', 'right')" in first_line(python)
        if node := shutil.which("node"):
            script = section(said, "JavaScript", "Decoded")
            assert '"type":"hello"' in first_line([node, "--experimental-websocket", "-e", script])
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=_DEADLINE_S)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert_all_end(children)


def test_killed_it_leaves_no_orphan() -> None:
    with demo() as process:
        until(process, r"left █.* right")
        children = descendants(process)
        process.kill()
        process.wait()
    assert_all_end(children)
