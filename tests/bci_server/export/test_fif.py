"""FIF: read back with MNE."""

import uuid
from datetime import UTC, datetime

import mne
import numpy as np
import pytest

from bci_server.export import fif
from bci_server.export.report import CannotHold
from bci_server.export.run import export
from devices.recording.formats import open_recording
from tests.bci_server.export.sessions import (
    GAP_AT,
    SECRETS,
    STARTED,
    markers_of,
    times_of,
    values_of,
    write_session,
)


def exported(path, tmp_path, **options):
    (report,) = export([path], "fif", tmp_path / "out_raw.fif", **options)
    return mne.io.read_raw_fif(tmp_path / "out_raw.fif", preload=True, verbose="ERROR"), report


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_samples_come_back_to_the_bit(tmp_path, dtype):
    raw, report = exported(write_session(tmp_path / "a.xdf", dtype), tmp_path)
    data = (raw.get_data() * 1e6).T.astype(np.float32)
    data = np.concatenate([data[:GAP_AT], data[GAP_AT + 125 :]])
    assert np.array_equal(data.astype(dtype), values_of(dtype=dtype))
    assert any("float64" in line for line in report.exact)


def test_markers_holes_and_who(session, tmp_path):
    raw, report = exported(session, tmp_path)
    marks = [(a["onset"], a["description"]) for a in raw.annotations]
    skip = [at for at, text in marks if text == "BAD_ACQ_SKIP"]
    assert skip == pytest.approx([GAP_AT / 250])
    labels = [(at, text) for at, text in marks if text != "BAD_ACQ_SKIP"]
    assert [text for _, text in labels] == [label for _, label in markers_of()]
    expected = [time_s - times_of()[0] for time_s, _ in markers_of()]
    assert np.allclose([at for at, _ in labels], expected, atol=1e-6)
    assert raw.info["meas_date"] == STARTED
    assert raw.info["subject_info"]["his_id"] == "P01"
    assert raw.info["device_info"]["serial"] == "serial-1234"
    assert "times of samples, to 1 µs" in report.exact


def test_anonymous_files_hold_no_secret(session, tmp_path):
    raw, _ = exported(session, tmp_path, anonymous=True)
    assert raw.info["meas_date"] is None
    content = (tmp_path / "out_raw.fif").read_bytes()
    for secret in SECRETS[:-1]:
        assert secret.encode() not in content


def test_the_computer_that_exported_is_not_told(session, tmp_path):
    raw, _ = exported(session, tmp_path)
    for identity in (raw.info["file_id"], raw.info["meas_id"]):
        assert identity is None or not any(identity["machid"])
        assert identity is None or identity["secs"] == 0
    assert raw.info["file_id"] is not None
    content = (tmp_path / "out_raw.fif").read_bytes()
    assert uuid.getnode().to_bytes(6) not in content
    assert int(datetime.now(UTC).timestamp() / 1000) not in {
        int(word) // 1000 for word in np.frombuffer(content[: len(content) // 4 * 4], ">i4")[:500]
    }


def test_real_edf_is_in_fif_as_mne_reads_it(eegmmi, tmp_path):
    raw, _ = exported(eegmmi, tmp_path)
    file = open_recording(eegmmi)
    stored, _ = file.tracks[0].stored(0, file.tracks[0].n_samples)
    assert np.array_equal(raw.get_data().T, stored)
    again = open_recording(tmp_path / "out_raw.fif")
    assert again.markers["annotations"] == file.markers["annotations"]
    file.close()
    again.close()


def test_spike_counts_are_kept(stevenson, tmp_path):
    raw, report = exported(stevenson, tmp_path)
    file = open_recording(stevenson)
    stored, _ = file.tracks[0].stored(0, file.tracks[0].n_samples)
    assert np.array_equal(raw.get_data().T, stored)
    assert any("'count'" in line for line in report.left_out)
    file.close()


def test_what_is_longer_than_a_fif_file_is_refused(session, tmp_path, monkeypatch):
    monkeypatch.setattr(fif, "_LONGEST_BYTES", 1000)
    with pytest.raises(CannotHold, match="2 GB"):
        export([session], "fif", tmp_path / "out_raw.fif")
