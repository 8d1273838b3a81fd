import numpy as np
import pytest

from devices.recording.checksums import RECORD, read_checksums, sidecar_of
from devices.recording.xdf_writer import Tag
from tests.devices.recording.recordings import N_CHUNKS, PER_CHUNK, record, times_of


@pytest.fixture
def path(tmp_path):
    return record(tmp_path / "a.xdf")


def change(path, do):
    content = bytearray(sidecar_of(path).read_bytes())
    do(content)
    sidecar_of(path).write_bytes(content)
    return read_checksums(path)


def test_the_records_cover_the_file_without_a_hole(path):
    sums = read_checksums(path)
    ends = np.cumsum(sums.records["length"])
    np.testing.assert_array_equal(sums.records["offset"], [0, *ends[:-1]])
    assert ends[-1] == path.stat().st_size
    assert sums.n_damaged == 0
    assert not sums.is_torn


def test_the_records_are_an_index_of_the_samples(path):
    records = read_checksums(path).records
    eeg = records[(records["tag"] == Tag.SAMPLES) & (records["stream"] == 1)]
    assert eeg["n_samples"].tolist() == [PER_CHUNK] * N_CHUNKS
    assert eeg["first_s"].tolist() == [times_of(i)[0] for i in range(N_CHUNKS)]


def test_no_sidecar_or_an_empty_one_is_none(path):
    sidecar_of(path).write_bytes(b"")
    assert read_checksums(path) is None
    sidecar_of(path).unlink()
    assert read_checksums(path) is None


@pytest.mark.parametrize("cut", [1, RECORD.itemsize - 1])
def test_a_torn_last_record_does_not_count(path, cut):
    n = len(read_checksums(path).records)
    sums = change(path, lambda content: content.__delitem__(slice(-cut, None)))
    assert (len(sums.records), sums.n_damaged, sums.is_torn) == (n - 1, 0, True)


@pytest.mark.parametrize("at", [0, 20, 47])
def test_a_damaged_header_shows(path, at):
    n = len(read_checksums(path).records)
    sums = change(path, lambda content: content.__setitem__(at, content[at] ^ 1))
    assert (len(sums.records), sums.n_damaged) == (n, 1)


@pytest.mark.parametrize("field", RECORD.names)
def test_a_flipped_bit_in_any_field_of_a_record_shows(path, field):
    n = len(read_checksums(path).records)
    at = RECORD.itemsize * 6 + RECORD.fields[field][1]
    sums = change(path, lambda content: content.__setitem__(at, content[at] ^ 1))
    assert len(sums.records) < n
    assert sums.n_damaged == n - len(sums.records)


def swap(content):
    a, b = (slice(RECORD.itemsize * i, RECORD.itemsize * (i + 1)) for i in (4, 5))
    content[a], content[b] = content[b], content[a]


def drop(content):
    del content[RECORD.itemsize * 4 : RECORD.itemsize * 5]


def double(content):
    content[RECORD.itemsize * 5 : RECORD.itemsize * 5] = content[
        RECORD.itemsize * 4 : RECORD.itemsize * 5
    ]


@pytest.mark.parametrize("do", [swap, drop, double])
def test_a_record_that_is_not_in_its_place_shows(path, do):
    assert change(path, do).n_damaged > 0


def test_the_records_of_another_file_show(path, tmp_path):
    other = record(tmp_path / "b.xdf")
    strange = sidecar_of(other).read_bytes()[RECORD.itemsize * 4 : RECORD.itemsize * 5]
    place = slice(RECORD.itemsize * 4, RECORD.itemsize * 5)
    assert change(path, lambda content: content.__setitem__(place, strange)).n_damaged > 0
