import numpy as np
import pytest

from devices.recording.checked_file import CheckedFile
from devices.recording.overview import QUALITIES, overview
from devices.recording.verify import verify
from devices.recording.xdf_writer import XdfStream, XdfWriter
from devices.signal import Marker

RATE_HZ = 100.0


@pytest.fixture
def seen(tmp_path):
    """Ten seconds in ten moments: a channel that is fine, and one with everything wrong."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1000, 2)).astype(np.float32)
    values[200:300, 1] = 5.0
    values[450, 1] = np.nan
    values[650, 1] = 1e4
    times = 70 + np.arange(1000) / RATE_HZ
    there = np.r_[0:800, 900:1000]
    with CheckedFile(tmp_path / "a.xdf") as file:
        xdf = XdfWriter(file.put)
        eeg = xdf.add_stream(XdfStream("eeg", "EEG", "float32", ("a", "b"), "uV", RATE_HZ))
        cues = xdf.add_stream(XdfStream("cues", "Markers", "string", ("label",)))
        for part in np.array_split(there, 37):
            xdf.write(eeg, values[part], times[part])
        xdf.write_texts(cues, ["go", ""], [71.5, 72.0])
        xdf.close()
    return overview(verify(tmp_path / "a.xdf"), n_moments=10)


def test_what_is_wrong_with_a_channel_is_seen_when_it_is(seen):
    (eeg,) = seen.traces
    words = [[QUALITIES[q] for q in channel] for channel in eeg.quality.T]
    assert words[0] == ["good"] * 8 + ["nothing", "good"]
    assert words[1] == [
        *("good", "good", "flat", "good", "not finite", "good", "far too large", "good"),
        *("nothing", "good"),
    ]


def test_the_envelope_holds_the_extremes(seen):
    (eeg,) = seen.traces
    assert eeg.high[6, 1] == 1e4
    assert eeg.low[2, 1] == eeg.high[2, 1] == 5.0
    assert np.isnan(eeg.low[8]).all()
    assert eeg.labels == ("a", "b")


def test_markers_are_listed_without_empty_ones(seen):
    assert seen.markers == {"cues": (Marker(71.5, "go"),)}
    assert (seen.start_s, seen.end_s) == (70.0, 79.99)


def test_a_recording_without_samples_has_no_overview(tmp_path):
    with XdfWriter.create(tmp_path / "a.xdf") as xdf:
        xdf.add_stream(XdfStream("eeg", "EEG", "float32", ("a",), "uV", RATE_HZ))
    assert overview(verify(tmp_path / "a.xdf")) is None
