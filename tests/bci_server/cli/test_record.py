"""``bci record``: a session without a server, to disk."""

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from bci_server.cli.outcome import Exit
from devices.recording.recorded import Recorded
from devices.recording.verify import verify

WAIT_S = 60.0


def bci_record(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "bci_server", "record", *map(str, arguments), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=WAIT_S)
    assert "Traceback" not in err
    return process.returncode, (json.loads(out) if out else None), err


@pytest.fixture
def simulated(tmp_path, write_session):
    """Writes the file of a session on a simulator."""
    return partial(write_session, tmp_path)


@pytest.fixture
def file(simulated):
    file = simulated(duration_s=4.0, speed=4.0)
    file.write_text(file.read_text() + '[record]\nparticipant = "P01"\nenabled = false\n')
    return file


def test_a_session_is_recorded_to_its_end(file):
    code, result, _ = finish(bci_record(file))
    assert code == Exit.OK
    assert (result["state"], result["n_samples"], result["n_lost"]) == ("ended", 1000, 0)
    path = Path(result["file"])
    assert path.name == "sub-P01_task-imagery_run-001_eeg.xdf"
    assert path.is_relative_to(file.parent / "recordings")
    assert verify(path).verdict == "clean"
    assert len(list(Recorded.open(path).lines())) > 0


def test_without_a_model_it_is_recorded_what_to_calibrate_on(file, tmp_path):
    file.write_text(file.read_text().replace("/model", "/no_model"))
    code, result, err = finish(
        bci_record(file, "--participant", "P07", "--task", "calib", "--folder", tmp_path / "x")
    )
    assert code == Exit.OK
    assert "no_model" in err
    path = tmp_path / "x/sub-P07/eeg/sub-P07_task-calib_run-001_eeg.xdf"
    assert result["file"] == str(path)
    assert verify(path).streams[0].n_samples == 1000
    assert list(Recorded.open(path).lines()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_in_good_order(simulated, number):
    file = simulated()
    process = bci_record(file, "--participant", "P02")
    deadline_s = time.monotonic() + WAIT_S
    while not list(file.parent.glob("recordings/**/*.crc")):
        assert process.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.01)  # another process makes the file
    process.send_signal(number)
    code, result, _ = finish(process)
    assert code == Exit.OK
    assert result["state"] == "ended"
    assert verify(result["file"]).verdict == "clean"


def test_it_ends_by_itself_after_the_given_time(simulated):
    code, result, _ = finish(
        bci_record(simulated(speed=4.0), "--participant", "P", "--duration", 1)
    )
    assert code == Exit.OK
    assert result["n_samples"] >= 250


def test_who_is_recorded_must_be_said(simulated):
    code, result, err = finish(bci_record(simulated()))
    assert (code, result) == (Exit.BAD_INPUT, None)
    assert "--participant" in err


def test_a_name_is_no_code(simulated):
    code, _, err = finish(bci_record(simulated(), "--participant", "Jane Doe"))
    assert code == Exit.BAD_INPUT
    assert "letters and digits" in err


def test_a_session_that_fails_says_why(simulated):
    file = simulated()
    (file.parent / "taken").write_text("")
    code, result, err = finish(
        bci_record(file, "--participant", "P", "--folder", file.parent / "taken")
    )
    assert code == Exit.FAILED
    assert (result["file"], result["state"]) == ("", "failed")
    assert "taken" in err


def test_an_engine_that_dies_at_once_is_no_hang(file, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'bci_server.engine' in sys.orig_argv: os._exit(3)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    code, result, err = finish(bci_record(file))
    assert code == Exit.FAILED
    assert result["state"] == "failed"
    assert "died" in err
