"""``bci verify``, ``bci recover``, ``bci info``."""

import json

import pytest
from typer.testing import CliRunner

from bci_server.__main__ import app
from bci_server.cli.outcome import Exit, exit_of
from tests.devices.recording.recordings import N_CHUNKS, PER_CHUNK, record


def run(*arguments):
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return exit_of(result.exception), str(result.exception)
    return result.exit_code, result.stdout


@pytest.fixture
def path(tmp_path):
    return record(tmp_path / "a.xdf")


def cut(path, n):
    path.write_bytes(path.read_bytes()[:n])


def test_a_clean_recording_is_said_to_be_clean(path):
    code, out = run("verify", path)
    assert code == Exit.OK
    assert "clean" in out
    assert "eeg (EEG): 3 channels of float32, 200 samples over 1.990 s" in out
    code, out = run("verify", path, "--json")
    assert code == Exit.OK
    assert json.loads(out)["streams"][0]["n_samples"] == N_CHUNKS * PER_CHUNK


def test_a_damaged_recording_fails_and_says_where(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    code, out = run("verify", path)
    assert code == Exit.FAILED
    assert "damaged" in out
    assert "its checksum is wrong" in out
    assert json.loads(run("verify", path, "--json")[1])["verdict"] == "damaged"


def test_what_is_whole_is_recovered_into_a_new_file(path, tmp_path):
    cut(path, 3000)
    code, out = run("recover", path)
    assert code == Exit.OK
    assert "lost" in out
    assert run("verify", tmp_path / "a_recovered.xdf")[0] == Exit.OK
    code, out = run("recover", path)  # never over the first
    assert code == Exit.FAILED
    code, out = run("recover", path, "-o", tmp_path / "b.xdf", "--json")
    assert code == Exit.OK
    (eeg, _) = json.loads(out)["streams"]
    assert eeg["n_kept"] + eeg["n_lost"] == N_CHUNKS * PER_CHUNK


@pytest.mark.parametrize("command", ["verify", "recover", "info"])
def test_files_that_are_not_there_or_not_xdf(tmp_path, command):
    code, message = run(command, tmp_path / "nope.xdf")
    assert (code, message) == (Exit.NOT_FOUND, f"there is no file {tmp_path / 'nope.xdf'}")
    (tmp_path / "a.xdf").write_text("hello")
    code, message = run(command, tmp_path / "a.xdf")
    assert code == Exit.BAD_INPUT
    assert "not an XDF file" in message


def test_the_picture_is_drawn(path, tmp_path):
    pytest.importorskip("matplotlib")
    code, out = run("info", path, "--picture", tmp_path / "a.png")
    assert code == Exit.OK
    assert "200 samples" in out
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_without_matplotlib_says_what_to_install(path, tmp_path, monkeypatch):
    monkeypatch.setattr("bci_server.cli.info.find_spec", lambda name: None)
    code, message = run("info", path, "--picture", tmp_path / "a.png")
    assert code == Exit.BAD_INPUT
    assert "bci-server[plots]" in message


def test_a_recording_of_nothing_cannot_be_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    path = record(tmp_path / "a.xdf", chunks=())
    code, message = run("info", path, "--picture", tmp_path / "a.png")
    assert code == Exit.BAD_INPUT
    assert "no samples" in message
