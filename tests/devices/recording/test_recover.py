import numpy as np
import pytest

from benchmarks.record_mutations import run
from devices.device import DeviceNotFound
from devices.recording.checksums import read_checksums, sidecar_of
from devices.recording.recover import recover, recovered_name
from devices.recording.verify import verify
from tests.devices.recording.recordings import (
    N_CHUNKS,
    PER_CHUNK,
    RATE_HZ,
    load,
    record,
    values_of,
)


@pytest.fixture
def path(tmp_path):
    return record(tmp_path / "a.xdf")


def place(path, n):
    records = read_checksums(path).records
    eeg = records[(records["stream"] == 1) & (records["tag"] == 3)]
    return int(eeg["offset"][n]), int(eeg["offset"][n] + eeg["length"][n])


def change(path, do):
    content = bytearray(path.read_bytes())
    do(content)
    path.write_bytes(content)


def expect(path, chunks):
    streams = load(path)
    np.testing.assert_array_equal(
        streams["eeg"]["time_series"], np.concatenate([values_of(i) for i in chunks])
    )
    assert verify(path).verdict == "clean"
    return streams


def test_a_killed_recording_loses_nothing_and_gets_its_end(tmp_path):
    path = record(tmp_path / "a.xdf", ends=False)
    result = recover(path, tmp_path / "b.xdf")
    assert [(s.name, s.n_kept, s.n_lost) for s in result.streams] == [
        ("eeg", N_CHUNKS * PER_CHUNK, 0),
        ("cues", 5, 0),
    ]
    streams = expect(tmp_path / "b.xdf", range(N_CHUNKS))
    footer = streams["eeg"]["footer"]["info"]
    assert footer["sample_count"] == [str(N_CHUNKS * PER_CHUNK)]
    assert len(footer["clock_offsets"][0]["offset"]) == 5


def test_a_damaged_chunk_is_left_out_and_counted_in_samples_and_seconds(path, tmp_path):
    start, end = place(path, 7)
    change(path, lambda c: c.__setitem__(slice(start + 40, end), bytes(end - start - 40)))
    eeg = recover(path, tmp_path / "b.xdf").streams[0]
    assert (eeg.n_lost, eeg.lost_s) == (PER_CHUNK, PER_CHUNK / RATE_HZ)
    expect(tmp_path / "b.xdf", [i for i in range(N_CHUNKS) if i != 7])


def test_a_damaged_length_does_not_hide_what_follows(path, tmp_path):
    start, _ = place(path, 3)
    change(path, lambda c: c.__setitem__(slice(start, start + 5), b"\xff" * 5))
    recover(path, tmp_path / "b.xdf")
    expect(tmp_path / "b.xdf", [i for i in range(N_CHUNKS) if i != 3])


def test_without_checksums_the_next_boundary_is_where_it_goes_on(path, tmp_path):
    start, _ = place(path, 5)
    change(path, lambda c: c.__setitem__(slice(start, start + 5), b"\xff" * 5))
    sidecar_of(path).unlink()
    result = recover(path, tmp_path / "b.xdf")
    assert result.n_unknown == 1
    assert result.n_unchecked > 0
    expect(tmp_path / "b.xdf", [i for i in range(N_CHUNKS) if i not in (5, 6, 7, 8)])


def test_a_file_cut_anywhere_gives_back_every_whole_chunk(path, tmp_path):
    whole = path.read_bytes()
    ends = [place(path, i)[1] for i in range(N_CHUNKS)]
    for n, cut in enumerate(range(ends[0], len(whole), 97)):
        path.write_bytes(whole[:cut])
        target = tmp_path / f"r{n}.xdf"
        result = recover(path, target)
        kept = sum(end <= cut for end in ends)
        assert result.streams[0].n_kept == kept * PER_CHUNK
        assert result.streams[0].n_lost == (N_CHUNKS - kept) * PER_CHUNK
        expect(target, range(kept))


def test_a_damaged_file_header_is_replaced(path, tmp_path):
    change(path, lambda c: c.__setitem__(slice(10, 60), bytes(50)))
    recover(path, tmp_path / "b.xdf")
    expect(tmp_path / "b.xdf", range(N_CHUNKS))


def test_samples_without_their_header_are_counted_as_lost(path, tmp_path):
    header = next(r for r in read_checksums(path).records if r["tag"] == 2)
    change(path, lambda c: c.__setitem__(int(header["offset"]) + 30, 0))
    result = recover(path, tmp_path / "b.xdf")
    assert (result.streams[0].n_kept, result.streams[0].n_lost) == (0, N_CHUNKS * PER_CHUNK)
    assert list(load(tmp_path / "b.xdf")) == ["cues"]


def test_nothing_is_overwritten(path, tmp_path):
    (tmp_path / "b.xdf").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        recover(path, tmp_path / "b.xdf")
    with pytest.raises(FileExistsError):
        recover(path, path)
    assert (tmp_path / "b.xdf").read_bytes() == b"precious"


def test_a_file_that_is_not_there_leaves_no_new_one(tmp_path):
    with pytest.raises(DeviceNotFound):
        recover(tmp_path / "a.xdf", tmp_path / "b.xdf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "recovered"),
    [
        ("a.xdf", "a_recovered.xdf"),
        ("my_file.xdf", "my_file_recovered.xdf"),
        ("sub-P01_task-a_run-001_eeg.xdf", "sub-P01_task-a_run-001_desc-recovered_eeg.xdf"),
    ],
)
def test_the_new_file_is_named_after_the_old_one(tmp_path, name, recovered):
    assert recovered_name(tmp_path / name) == tmp_path / recovered


def test_no_mutation_stays_unnoticed_and_nothing_wrong_is_recovered():
    outcomes = [o for kind in run(count=100, seed=1, seconds=2.0).values() for o in kind.elements()]
    assert len(outcomes) == 100
    assert set(outcomes) <= {"detected", "harmless"}
    assert "detected" in outcomes


def drop(content, start, end):
    del content[start:end]


def put_in(content, start, end):
    content[start:start] = b"garbage" * 100


def double(content, start, end):
    content[end:end] = content[start:end]


@pytest.mark.parametrize(("do", "lost"), [(drop, [7]), (put_in, []), (double, [])])
def test_bytes_that_were_taken_out_or_put_in_cost_no_other_chunk(path, tmp_path, do, lost):
    change(path, lambda content: do(content, *place(path, 7)))
    report = verify(path)
    assert report.verdict == "damaged"
    assert report.chunks["moved"] > N_CHUNKS - 8
    result = recover(path, tmp_path / "b.xdf")
    assert result.streams[0].n_lost == len(lost) * PER_CHUNK
    expect(tmp_path / "b.xdf", [i for i in range(N_CHUNKS) if i not in lost])


def test_two_swapped_chunks_cost_no_other(path, tmp_path):
    def swap(content):
        (a, b), (c, d) = place(path, 4), place(path, 12)
        content[a:b], content[c:d] = content[c:d], content[a:b]

    change(path, swap)
    assert recover(path, tmp_path / "b.xdf").streams[0].n_lost == 2 * PER_CHUNK
    expect(tmp_path / "b.xdf", [i for i in range(N_CHUNKS) if i not in (4, 12)])


def test_a_sidecar_of_another_file_accepts_nothing(path, tmp_path):
    other = record(tmp_path / "other.xdf", chunks=range(3))
    sidecar_of(path).write_bytes(sidecar_of(other).read_bytes())
    assert verify(path).verdict == "damaged"
