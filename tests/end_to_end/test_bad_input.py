"""What users get wrong, as they would do it: real commands, and what these print.

Each says what is wrong, both values, and what to do; ends with the documented exit code; and shows
no trace. What each module refuses in detail is tested beside it.
"""

import json
import math
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bci_server.__main__ import main
from bci_server.config import load_session
from benchmarks.line import Server, serving
from decoders.calibrating.calibration import calibrate
from devices.adapters.recording import Recording
from devices.recording.xdf_writer import XdfStream, XdfWriter

DEADLINE_S = 120.0
CHANNELS = ("C3", "Cz", "C4", "Pz")
SESSION = """\
name = "{name}"
[device]
kind = "lsl"
name = "{name}"
timeout_s = 0.5
[blocks]
hop_s = 0.1
channels = {channels}
[[stages]]
kind = "bandpass"
low_hz = 8.0
high_hz = 30.0
[[stages]]
kind = "log_power"
[decoder]
kind = "lda"
model = "model"
[trials]
labels = {{ left = "left", right = "right" }}
"""


def write_session(
    folder: Path, name: str, channels: tuple[str, ...] = CHANNELS[:3], **changes: str
) -> Path:
    text = SESSION.format(name=name, channels=json.dumps(channels))
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / f"{name}.toml"
    file.write_text(text)
    return file


def write_recording(
    path: Path,
    rate_hz: float = 250.0,
    channels: tuple[str, ...] = CHANNELS,
    bad: float | None = None,
) -> Path:
    rng = np.random.default_rng(0)
    n = int(60 * rate_hz)
    values = rng.standard_normal((n, len(channels))).astype(np.float32)
    if bad is not None:
        values[n // 4 : n // 4 + 10, 0] = bad
    with XdfWriter.create(path) as xdf:
        eeg = xdf.add_stream(XdfStream("cap", "EEG", "float32", channels, "uV", rate_hz))
        words = xdf.add_stream(XdfStream("cap-markers", "Markers", "string", ("marker",)))
        xdf.write(eeg, values, np.arange(n) / rate_hz)
        xdf.write_texts(words, ["left", "right"] * 7, [2.0 + 4.0 * i for i in range(14)])
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a session, its model, and everything that can be wrong."""
    folder = tmp_path_factory.mktemp("place")
    good = write_recording(folder / "good.xdf")
    session = load_session(write_session(folder, "session"))
    device = Recording(str(good), speed=math.inf, chunk_s=1.0)
    calibrate(session.pipeline, session.decoder, [device]).save(session.model)
    write_session(folder, "wrong_key", low_hz="lo_hz")
    write_session(folder, "wrong_section", trials="trails")
    write_session(folder, "wrong_value", **{'"lda"': '"lad"'})
    write_session(folder, "two_channels", CHANNELS[:2])
    write_session(folder, "no_model", **{'"model"': '"nowhere"'})
    write_recording(folder / "slow.xdf", rate_hz=125.0)
    write_recording(folder / "few.xdf", channels=("C3", "C4", "Pz"))
    write_recording(folder / "nan.xdf", bad=math.nan)
    write_recording(folder / "inf.xdf", bad=math.inf)
    (folder / "cut.xdf").write_bytes(good.read_bytes()[:200])
    (folder / "words.txt").write_text(OPENBCI)
    return folder


OPENBCI = """\
%OpenBCI Raw EXG Data
%Number of channels = 2
%Sample Rate = 250 Hz
%Board = OpenBCI_GUI$BoardCytonSerial
Sample Index, EXG Channel 0, EXG Channel 1, Timestamp
0, 1.0, 2.0, 1600000000.0
1, wrong, 2.0, 1600000000.004
"""


def bci(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "bci_server", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=DEADLINE_S,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("serve wrong_key.toml", 2, ["lo_hz", "low_hz", "line"]),
        ("serve wrong_section.toml", 2, ["trails", "did you mean 'trials'"]),
        ("serve wrong_value.toml", 2, ["lad", "did you mean 'lda'"]),
        ("serve no_model.toml", 2, ["nowhere", "bci calibrate"]),
        ("serve nowhere.toml", 2, ["nowhere.toml", "No such file"]),
        ("evaluate no_model.toml good.xdf", 2, ["nowhere", "bci calibrate"]),
        ("evaluate session.toml slow.xdf", 2, ["250 Hz", "125 Hz"]),
        ("evaluate session.toml few.xdf", 2, ["lacks Cz", "it has C3, C4, Pz"]),
        ("evaluate two_channels.toml good.xdf", 2, ["C3, Cz, C4", "picks C3, Cz"]),
        ("stream recording cut.xdf", 2, ["cut.xdf", "no streams"]),
        ("stream recording words.txt", 2, ["words.txt", "line 7", "'wrong'"]),
        ("stream recording nowhere.edf", 3, ["nowhere.edf"]),
        ("calibrate session.toml session.toml -o other", 2, [".toml", ".edf", ".xdf"]),
        ("stream simulator_eeg --n-channels 7", 2, ["8 to 64", "7"]),
    ],
)
def test_it_is_said_what_is_wrong(
    place: Path,
    command: str,
    code: int,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", ["bci", *command.split()])
    with pytest.raises(SystemExit) as ended:  # a process each would do, and took a second each
        main()
    out, errors = capsys.readouterr()
    assert ended.value.code == code, errors
    assert out == ""
    assert "Traceback" not in errors
    for words in said:
        assert words in errors


def test_what_is_not_finite_is_left_out_and_that_is_said(place: Path) -> None:
    bad = ("nan.xdf", "inf.xdf")
    done = bci(place, "evaluate", "session.toml", *bad, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("values of C3 are not finite") == 2
    assert json.loads(done.stdout)["n_trials"] == 2 * 14
    done = bci(place, "calibrate", "session.toml", *bad, "-o", "bad.model", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("values of C3 are not finite") == 2


def test_a_cut_edf_says_how_much_there_is(place: Path, shared_data: Path) -> None:
    whole = (shared_data / "eegmmi_s001" / "S001R06.edf").read_bytes()
    (place / "cut.edf").write_bytes(whole[: len(whole) // 2])
    done = bci(place, "stream", "recording", "cut.edf")
    assert done.returncode == 2
    assert "promises 125 records" in done.stderr
    assert "the file holds 62" in done.stderr


@contextmanager
def outlet(lsl: Any, name: str, source_id: str, rate_hz: float = 250.0) -> Iterator[Any]:
    info = lsl.StreamInfo(name, "EEG", len(CHANNELS), rate_hz, "float32", source_id)
    channels = info.desc().append_child("channels")
    for label in CHANNELS:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", "microvolts")
    sender = lsl.StreamOutlet(info)  # it is there for as long as somebody holds it
    yield sender


def eventually(server: Server, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until the session is as wanted; its status comes as events do."""
    headers = {"Authorization": f"Bearer {server.token}"}
    request = urllib.request.Request(
        f"{server.url}/v1/sessions/live/events?topics=status", headers=headers
    )
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as events:
        for line in events:
            if line.startswith(b"data:") and what(status := json.loads(line[5:])):
                return dict(status)
    raise AssertionError("the events ended")


def test_a_running_server_says_why_a_session_does_not_run(
    place: Path, tmp_path: Path, lsl: Any
) -> None:
    file = write_session(place, "live")
    with (
        outlet(lsl, "another", "another-1"),
        serving(file, tmp_path) as server,
    ):
        waiting = eventually(server, lambda s: "waiting" in s.get("reason", ""))
        assert waiting["state"] == "starting"
        assert "no LSL stream with name 'live'" in waiting["reason"]
        assert "'another' (type 'EEG', 4 ch, 250 Hz" in waiting["reason"]
        with outlet(lsl, "live", "cap-1"), outlet(lsl, "live", "cap-2"):
            failed = eventually(server, lambda s: s.get("state") == "failed")
            assert "2 LSL streams match name 'live'" in failed["reason"]
            assert "'cap-1'" in failed["reason"]
            assert "'cap-2'" in failed["reason"]
            assert "source_id" in failed["reason"]
        with outlet(lsl, "live", "cap-3", rate_hz=125.0):
            server.post("/v1/sessions/live/restart")
            failed = eventually(server, lambda s: "fitted" in s.get("reason", ""))
            assert failed["state"] == "failed"
            assert "250 Hz" in failed["reason"]
            assert "125 Hz" in failed["reason"]
        wrong = bci(place, "listen", server.url, "--session", "live", BCI_TOKEN="wrong" * 8)
        assert wrong.returncode == 1
        assert "token" in wrong.stderr
        unknown = bci(place, "listen", server.url, "--session", "lief", BCI_TOKEN=server.token)
        assert unknown.returncode == 3
        assert "live" in unknown.stderr
