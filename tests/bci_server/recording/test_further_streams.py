"""Further LSL streams, recorded beside the session's own."""

import numpy as np
import pytest

from bci_server.recording.items import Content
from bci_server.recording.names import Record
from bci_server.recording.recorder import Recorder
from bci_server.recording.state import RecordingRefused
from devices.clock import MONOTONIC
from devices.recording.checksums import read_checksums
from devices.recording.verify import verify
from tests.bci_server.scripted import SIGNAL
from tests.devices.lsl_sender import Sender, unique
from tests.devices.recording.recordings import load

WAIT_S = 60.0


def test_further_streams_are_recorded_as_they_are(tmp_path, lsl):
    eyes = Sender(lsl, unique("eyes"), rate_hz=60.0, format="int16", labels=["x", "y"])
    keys = lsl.StreamOutlet(lsl.StreamInfo(unique("keys"), "Markers", 1, 0.0, "string", "keys-1"))
    names = (eyes.outlet.get_info().name(), keys.get_info().name())
    record = Record(participant="P01", folder=str(tmp_path), streams=names)
    recorder = Recorder(record, Content("demo", "amp", SIGNAL), MONOTONIC)
    path = recorder.start_and_wait(WAIT_S)
    eyes.wait()
    assert keys.wait_for_consumers(WAIT_S)
    values = np.arange(200).reshape(100, 2)
    eyes.push(values, 5000 + np.arange(100) / 60)
    keys.push_sample(["naïve ✓"], 5001.5)
    reader_deadline_s = MONOTONIC.now() + WAIT_S
    while recorded_samples(path) < 101:
        assert MONOTONIC.now() < reader_deadline_s
        MONOTONIC.sleep_until(MONOTONIC.now() + 0.05)  # another thread writes the file
    recorder.close("ended", "", WAIT_S)
    assert recorder.state.alarms == ()
    assert verify(path).verdict == "clean"
    streams = load(path)
    seen = streams[names[0]]
    assert seen["time_series"].dtype == np.int16
    np.testing.assert_array_equal(seen["time_series"], values)
    np.testing.assert_array_equal(seen["time_stamps"], 5000 + np.arange(100) / 60)
    channels = seen["info"]["desc"][0]["channels"][0]["channel"]
    assert [c["label"][0] for c in channels] == ["x", "y"]
    assert len(seen["clock_times"]) >= 1
    pressed = streams[names[1]]
    assert (pressed["time_series"], pressed["time_stamps"].tolist()) == ([["naïve ✓"]], [5001.5])
    assert pressed["info"]["source_id"] == ["keys-1"]


def recorded_samples(path):
    sums = read_checksums(path)
    further = np.isin(sums.records["stream"], [s.number for s in verify(path).streams[-2:]])
    return int(sums.records["n_samples"][further].sum())


def test_a_required_stream_that_is_missing_is_named_and_nothing_is_made(tmp_path, lsl):
    eyes = Sender(lsl, unique("there"))
    there = eyes.outlet.get_info().name()
    record = Record(
        participant="P01", folder=str(tmp_path), streams=("nobody", there, "nobody-else")
    )
    recorder = Recorder(record, Content("demo", "amp", SIGNAL), MONOTONIC)
    with pytest.raises(RecordingRefused, match=r"'nobody', 'nobody-else'") as caught:
        recorder.start_and_wait(WAIT_S)
    assert there in str(caught.value)
    assert "[record]" in caught.value.fix
    recorder.close("ended", "", WAIT_S)
    assert list(tmp_path.iterdir()) == []
