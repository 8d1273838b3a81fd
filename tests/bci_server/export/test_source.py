"""What exports start from: recordings as the recorder itself writes them."""

import numpy as np
import pytest

from bci_server.export.run import FORMATS, export
from bci_server.export.source import read_source
from bci_server.recording.file import RecordingFile
from bci_server.recording.items import Content, Said
from decoders.output import Prediction
from devices.recording.checked_file import CheckedFile
from devices.recording.recorded import Turn
from devices.signal import Marker, Signal
from tests.bci_server.export.sessions import sent, write_session

SIGNAL = Signal(100.0, ("C3", "C4"), "uV")
ABOUT = {"participant": "P09", "decoder": "lda", "model": "ff" * 32, "session_file": "name = 'x'"}
N, PER_CHUNK = 300, 30
OWN_S = 86_400.0
"""The sender's clock is a day ahead."""


def seen_times():
    """The decoder's times: a little jitter, and a gap of 0.4 s."""
    rng = np.random.default_rng(3)
    times = 50 + np.arange(N) / 100 + 1e-4 * rng.random(N)
    times[150:] += 0.4
    return times


def values():
    return np.random.default_rng(4).standard_normal((N, 2)).astype(np.float32)


@pytest.fixture
def recorded(tmp_path):
    """Write a session with the recorder's own file; the sender's clock is another one."""
    path = tmp_path / "sub-P09_task-rest_run-001_eeg.xdf"
    content = Content("cap", "amp-77", SIGNAL, has_sender_times=True, about=ABOUT)
    file = RecordingFile(CheckedFile(path), content, 49.0)
    for first in range(0, N, PER_CHUNK):
        rows = slice(first, first + PER_CHUNK)
        times = seen_times()[rows]
        markers = (Marker(float(times[7]), f"cue {first}"),)
        file.write(
            Turn(first, values()[rows], times, times + OWN_S, first == 150, times[-1], markers)
        )
        prediction = Prediction(("a", "b"), (0.5, 0.5))
        file.write(Said(first + PER_CHUNK - 1, float(times[-1]), (prediction,), ()))
    for message in sent():
        file.write(message)
    file.end(60.0, "ended", "")
    return path


def test_times_are_those_that_the_decoder_saw(recorded):
    source = read_source(recorded)
    assert np.array_equal(source.main.times, seen_times())
    assert np.array_equal(source.main.values, values())
    assert source.main.breaks.tolist() == [150]
    assert [m.label for m in source.main_markers] == [f"cue {k}" for k in range(0, N, PER_CHUNK)]
    assert list(source.markers) == [source.main_list]
    assert [said.sample for said in source.outputs.said] == list(range(29, N, 30))
    assert source.outputs.sent == [m for m in sent() if hasattr(m, "values")]
    assert (source.about.participant, source.about.decoder) == ("P09", "lda")
    assert (source.about.task, source.about.serial) == ("rest", "amp-77")


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_the_recorders_own_files_are_exported(recorded, tmp_path, format_):
    out = tmp_path / f"out{FORMATS[format_].ending}"
    (report,) = export([recorded], format_, out, anonymous=True)
    assert not any("before the first or after" in line for line in report.left_out)
    assert any("amp-77" in line for line in report.removed)


def test_a_torn_recording_is_exported_as_far_as_it_goes(recorded, tmp_path):
    recorded.write_bytes(recorded.read_bytes()[:-4000])
    source = read_source(recorded)
    n = len(source.main.times)
    assert 0 < n <= N
    assert np.array_equal(source.main.values, values()[:n])


def test_the_stream_can_be_chosen(tmp_path):
    path = write_session(tmp_path / "a.xdf")
    assert read_source(path).main.name == "cap"
    assert read_source(path, "hand").main.name == "hand"
    assert read_source(path, "kinematics").main.name == "hand"
