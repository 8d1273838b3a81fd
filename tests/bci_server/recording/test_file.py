"""What a recording's file holds, and what a reader makes of one that was tampered with."""

import math
import re

import numpy as np
import pytest

from bci_server.recording.file import RecordingFile
from bci_server.recording.items import Content
from devices.adapters.replay import Replay
from devices.device import DeviceRefused
from devices.recording.checked_file import CheckedFile
from devices.recording.formats import open_recording
from devices.recording.recorded import Recorded, Turn
from devices.signal import Event, Signal

SIGNAL = Signal(100.0, ("C3", "C4"), "uV")


@pytest.fixture
def recording(tmp_path):
    """Two turns of ten samples; with the second a client marked something at sample 7."""
    file = tmp_path / "a.xdf"
    recording = RecordingFile(CheckedFile(file), Content("demo", "amp", SIGNAL), 0.0)
    for first in (0, 10):
        times = 50.0 + np.arange(first, first + 10) / 100.0
        marks = (Event(7, "jump", "client"),) if first else ()
        values = np.ones((10, 2), np.float32)
        recording.write(Turn(first, values, times, None, False, float(times[-1]), (), marks))
    recording.end(51.0, "ended", "")
    return file


@pytest.mark.parametrize(("value", "n_bad"), [(1e30, 0), (np.inf, 20), (-np.nan, 20)])
def test_a_replay_counts_values_that_are_no_numbers_and_no_others(tmp_path, value, n_bad):
    file = tmp_path / "a.xdf"
    recording = RecordingFile(CheckedFile(file), Content("demo", "amp", SIGNAL), 0.0)
    values = np.full((10, 2), value, np.float32)
    recording.write(Turn(0, values, 50.0 + np.arange(10) / 100.0, None, False, 50.09))
    recording.end(51.0, "ended", "")
    with Replay(str(file), math.inf).open() as stream:
        stream.read(0.0)
        assert stream.health().n_bad == n_bad


def test_what_a_client_marked_is_a_marker_at_its_sample(recording):
    file = open_recording(recording)
    markers = file.markers["demo markers"]
    file.close()
    assert [m.label for m in markers] == ["jump"]
    assert markers[0].time_s == pytest.approx(50.07)


@pytest.mark.parametrize("odd", [b"1.5", b"null", b'"x"', b"[]", b"{}", b'{"sample":1}'])
def test_an_event_that_is_none_is_refused_with_its_place(recording, odd, tmp_path):
    def spoiled(found):
        return found[1] + odd.ljust(len(found[2])) + b"]"

    content, n = re.subn(rb'("events":\[)(\{[^}]*\})\]', spoiled, recording.read_bytes())
    assert n == 1
    copy = tmp_path / "b.xdf"
    copy.write_bytes(content)
    with Recorded.open(copy) as recorded, pytest.raises(DeviceRefused, match="no markers and ev"):
        list(recorded.turns())
