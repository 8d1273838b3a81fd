"""``bci serve``: real processes, and what it refuses at the door."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bci_server.__main__ import main
from bci_server.cli.outcome import Exit
from tests.devices.recording.recordings import record


@contextmanager
def serving(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "bci_server", "serve", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def refused(*arguments: object, **environment: str) -> tuple[int, str]:
    with serving(*arguments, **environment) as process:
        out, errors = process.communicate(timeout=90)
    assert out == ""
    assert "Traceback" not in errors
    return process.returncode, errors


@pytest.fixture
def refused_at_the_door(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs what is refused before it starts anything, and so needs no process of its own."""

    def run(*arguments: object, **environment: str) -> tuple[int, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["bci", "serve", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, errors = capsys.readouterr()
        assert out == ""
        assert "Traceback" not in errors
        return int(ended.value.code or 0), errors

    return run


@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM", "eof"])
def test_it_says_where_it_is_answers_there_and_ends(
    calibrated: Path, tmp_path: Path, ending: str
) -> None:
    token = tmp_path / "token"
    arguments = (calibrated, "--port", 0, "--token-file", token, "--json", "--until-eof")
    with serving(*arguments) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        said = json.loads(process.stdout.readline())
        assert said["sessions"] == ["imagery"]
        assert said["token_file"] == str(token)
        if ending == "eof":
            assert_well(said["url"])
            process.stdin.close()
        else:
            assert httpx.get(f"{said['url']}/healthz", timeout=60).status_code == 200
            process.send_signal(getattr(signal, ending))
        assert process.wait(timeout=60) == Exit.OK
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert token.stat().st_mode & 0o777 == 0o600


def assert_well(url: str) -> None:
    """Ask as a container's health check does."""
    health = subprocess.run(
        [sys.executable, "-m", "bci_server", "health", "--timeout", "60"],
        env={**os.environ, "BCI_PORT": url.rpartition(":")[2]},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert health.returncode == Exit.OK, health.stderr


def test_a_missing_model_is_said_before_it_starts(
    session_file: Path, tmp_path: Path, refused_at_the_door: Callable[..., tuple[int, str]]
) -> None:
    token = tmp_path / "token"
    code, errors = refused_at_the_door(session_file, "--port", 0, "--token-file", token)
    assert code == Exit.BAD_INPUT
    assert str(session_file.parent / "model") in errors


def test_a_port_in_use_is_said(calibrated: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, errors = refused(calibrated, "--port", port, "--token-file", tmp_path / "token")
    assert code == Exit.FAILED
    assert str(port) in errors


def test_two_sessions_of_one_name_are_refused(calibrated: Path, tmp_path: Path) -> None:
    code, errors = refused(calibrated, calibrated, "--port", 0, "--token-file", tmp_path / "token")
    assert code == Exit.BAD_INPUT
    assert "imagery" in errors


def test_the_network_is_refused_without_tls_and_a_stored_token(
    calibrated: Path, refused_at_the_door: Callable[..., tuple[int, str]]
) -> None:
    code, errors = refused_at_the_door(calibrated, "--host", "0.0.0.0")
    assert code == Exit.BAD_INPUT
    assert "TLS" in errors


def test_a_setting_that_cannot_be_is_named(
    calibrated: Path, refused_at_the_door: Callable[..., tuple[int, str]]
) -> None:
    code, errors = refused_at_the_door(calibrated, BCI_MAX_CLIENTS="none")
    assert code == Exit.BAD_INPUT
    assert "BCI_MAX_CLIENTS" in errors


def test_the_recordings_of_its_sessions_are_listed(calibrated: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    record(folder / "sub-P03_task-rest_eeg.xdf")
    text = calibrated.read_text() + '\n[record]\nparticipant = "P03"\nfolder = "kept"\n'
    calibrated.write_text(text.replace("[record]", "[record]\nenabled = false"))
    token = tmp_path / "token"
    arguments = (calibrated, "--port", 0, "--token-file", token, "--json", "--no-start")
    with serving(*arguments) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
        (entry,) = httpx.get(f"{url}/v1/recordings", headers=headers, timeout=60).json()
        assert entry["participant"] == "P03"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == Exit.OK
