import numpy as np
import pytest

from devices.device import DeviceNotFound, DeviceRefused
from devices.recording.checked_file import CheckedFile
from devices.recording.checksums import read_checksums, sidecar_of
from devices.recording.verify import verify
from devices.recording.xdf_writer import XdfStream, XdfWriter
from tests.devices.recording.recordings import N_CHUNKS, PER_CHUNK, RATE_HZ, record


@pytest.fixture
def path(tmp_path):
    return record(tmp_path / "a.xdf")


def places(path, stream=1):
    records = read_checksums(path).records
    return [
        (int(r["offset"]), int(r["offset"] + r["length"]))
        for r in records
        if r["stream"] == stream and r["tag"] == 3
    ]


def change(path, do):
    content = bytearray(path.read_bytes())
    do(content)
    path.write_bytes(content)


def test_a_whole_recording_is_clean_and_its_streams_are_counted(path):
    report = verify(path)
    assert report.verdict == "clean"
    assert set(report.chunks) == {"sound"}
    eeg, cues = report.streams
    assert (eeg.name, eeg.kind, eeg.n_channels, eeg.rate_hz) == ("eeg", "EEG", 3, RATE_HZ)
    assert eeg.n_samples == N_CHUNKS * PER_CHUNK
    assert eeg.effective_rate_hz == pytest.approx(RATE_HZ)
    assert (eeg.n_gaps, eeg.n_backward, eeg.footer) == (0, 0, "agrees")
    assert eeg.n_clock_offsets == 5
    assert cues.n_samples == 5


def test_a_single_flipped_bit_in_any_chunk_is_found_and_placed(path):
    whole = path.read_bytes()
    for record_ in read_checksums(path).records[1:]:
        content = bytearray(whole)
        content[int(record_["offset"]) + int(record_["length"]) - 1] ^= 0x10
        path.write_bytes(content)
        report = verify(path)
        assert report.verdict == "damaged"
        assert report.damages[0].offset == record_["offset"]
        assert report.damages[0].n_samples == record_["n_samples"]


def test_the_hash_does_not_depend_on_how_the_samples_were_cut(tmp_path):
    rng = np.random.default_rng(0)
    values, times = rng.normal(size=(300, 2)).astype(np.float32), np.arange(300) / 100
    hashes = set()
    for n, parts in enumerate(([], [1, 7, 250], range(1, 300))):
        with XdfWriter.create(tmp_path / f"{n}.xdf") as xdf:
            eeg = xdf.add_stream(XdfStream("eeg", "EEG", "float32", ("a", "b"), "uV", 100.0))
            for part in np.array_split(np.arange(300), parts):
                xdf.write(eeg, values[part], times[part])
        hashes.add(verify(tmp_path / f"{n}.xdf").sha256)
    assert len(hashes) == 1


def test_without_checksums_nobody_can_tell(path):
    sidecar_of(path).unlink()
    report = verify(path)
    assert report.verdict == "unchecked"
    assert not report.has_checksums
    assert report.streams[0].n_samples == N_CHUNKS * PER_CHUNK


def test_a_recording_that_was_killed_is_unfinished_but_not_damaged(tmp_path):
    path = record(tmp_path / "a.xdf", ends=False)
    report = verify(path)
    assert report.verdict == "unfinished"
    assert report.damages == ()
    assert report.streams[0].footer == "missing"


def test_a_last_chunk_that_was_being_written_is_torn_not_lost(tmp_path):
    path = record(tmp_path / "a.xdf", ends=False)
    last = places(path)[-1]
    content = path.read_bytes()
    path.write_bytes(content + content[last[0] : last[1] - 7])
    report = verify(path)
    assert report.verdict == "unfinished"
    (torn,) = report.damages
    assert (torn.state, torn.stream, torn.n_samples) == ("torn", 1, PER_CHUNK)


def test_a_file_that_is_shorter_than_its_checksums_say_is_damaged(path):
    change(path, lambda content: content.__delitem__(slice(places(path)[-2][0], None)))
    report = verify(path)
    assert report.verdict == "damaged"
    assert {d.state for d in report.damages} == {"missing"}
    assert sum(d.n_samples for d in report.damages if d.stream == 1) == 2 * PER_CHUNK


def test_gaps_jumps_back_and_clock_resets_are_found(tmp_path):
    period_s = 0.01
    with CheckedFile(tmp_path / "a.xdf") as file:
        xdf = XdfWriter(file.put)
        eeg = xdf.add_stream(XdfStream("eeg", "EEG", "int16", ("a",), "uV", 1 / period_s))
        for start_s, offset_s in ((0.0, 5.0), (1.0, 5.0001), (3.0, 5.0), (1.0, 7.0)):
            times = start_s + np.arange(100) * period_s
            xdf.write_clock_offset(eeg, start_s, offset_s)
            xdf.write(eeg, np.zeros((100, 1), np.int16), times)
        xdf.close()
    report = verify(tmp_path / "a.xdf")
    (stream,) = report.streams
    assert report.verdict == "clean"  # it is what was recorded
    assert (stream.n_gaps, stream.n_lost, stream.n_backward) == (2, 100, 1)
    assert [round(g.to_s - g.from_s, 6) for g in stream.gaps] == [1.01, -2.99]
    assert stream.n_clock_resets == 1


def test_a_footer_that_counts_otherwise_is_damage(tmp_path):
    path = tmp_path / "a.xdf"
    with XdfWriter.create(path) as xdf:
        eeg = xdf.add_stream(XdfStream("eeg", "EEG", "int16", ("a",)))
        xdf.write(eeg, np.zeros((7, 1), np.int16), np.arange(7.0))
    change(path, lambda c: c.__setitem__(slice(None), c.replace(b"count>7<", b"count>9<")))
    assert verify(path).streams[0].footer == "differs"
    assert verify(path).verdict == "damaged"


def test_a_file_that_is_not_there_or_not_xdf_is_refused(tmp_path):
    with pytest.raises(DeviceNotFound, match=r"a\.xdf"):
        verify(tmp_path / "a.xdf")
    for content in (b"", b"XD", b"HDF5 and so on"):
        (tmp_path / "a.xdf").write_bytes(content)
        with pytest.raises(DeviceRefused, match="not an XDF file"):
            verify(tmp_path / "a.xdf")


def test_the_files_of_other_programs_are_read(shared_data):
    for path in sorted((shared_data / "xdf_lsl").rglob("*.xdf")):
        report = verify(path)
        assert report.streams, path
        assert report.verdict in ("unchecked", "unfinished", "damaged"), path
