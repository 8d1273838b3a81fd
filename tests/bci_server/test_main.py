"""The `bci` command as a process: its help, its version, how it reports what went wrong."""

import os
import subprocess
import sys

import pytest

from bci_server import __main__ as program
from bci_server.cli.outcome import CommandError, Exit


def bci(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bci_server", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )


def test_help_says_what_it_does_and_its_exit_codes() -> None:
    done = bci("--help")
    assert done.returncode == Exit.OK
    assert "Decode brain signals" in done.stdout
    assert "Exit codes" in done.stdout


def test_an_unknown_command_is_bad_usage() -> None:
    done = bci("dceode")
    assert done.returncode == Exit.BAD_INPUT
    assert "dceode" in done.stderr
    assert "Traceback" not in done.stderr


def _failing(error: Exception, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(program, "app", fail)
    monkeypatch.setattr(sys, "argv", ["bci", *arguments])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_users_mistake_is_one_line_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mistake = CommandError("two recordings have [different] rates: 250 Hz, 500 Hz")
    assert _failing(mistake, monkeypatch) == Exit.BAD_INPUT
    written = capsys.readouterr()
    assert written.err == "Error: two recordings have [different] rates: 250 Hz, 500 Hz\n"
    assert written.out == ""


def test_debug_shows_the_trace_of_a_users_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _failing(CommandError("no"), monkeypatch, "--debug") == Exit.BAD_INPUT
    assert "Traceback" in capsys.readouterr().err


def test_a_defect_shows_its_trace_and_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _failing(ZeroDivisionError("division by zero"), monkeypatch) == Exit.DEFECT
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "report" in written
