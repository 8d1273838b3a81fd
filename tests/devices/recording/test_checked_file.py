import errno
import os
import resource
import signal
from dataclasses import replace

import numpy as np
import pytest

from devices.recording.checked_file import CheckedFile
from devices.recording.checksums import sidecar_of
from devices.recording.verify import verify
from devices.recording.xdf_writer import XdfStream, XdfWriter
from tests.devices.recording.recordings import load, record

EEG = XdfStream("eeg", "EEG", "float32", ("a", "b"), "uV", 100.0)


def test_a_recording_that_ended_well_is_clean(tmp_path):
    assert verify(record(tmp_path / "a.xdf")).verdict == "clean"


@pytest.mark.parametrize("there", ["a.xdf", "a.xdf.crc"])
def test_nothing_is_overwritten_and_nothing_half_made_is_left(tmp_path, there):
    (tmp_path / there).write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        CheckedFile(tmp_path / "a.xdf")
    assert [p.name for p in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_bytes() == b"precious"


@pytest.fixture
def limit_file_size():
    """Makes every write beyond some bytes fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(
        resource.RLIMIT_FSIZE, (before[0] if size is None else size, before[1])
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_whole_chunks_and_writing_may_go_on_later(tmp_path, limit_file_size):
    with CheckedFile(tmp_path / "a.xdf") as file:
        xdf = XdfWriter(file.put)
        eeg = xdf.add_stream(EEG)
        xdf.write(eeg, np.ones((10, 2), np.float32), np.arange(10.0))
        size = file.size
        limit_file_size(size + 100)  # cuts the next chunk in its middle
        with pytest.raises(OSError, match="too large") as caught:
            xdf.write(eeg, np.full((50, 2), 2, np.float32), np.arange(10.0, 60.0))
        assert caught.value.errno == errno.EFBIG
        assert (tmp_path / "a.xdf").stat().st_size == file.size == size
        limit_file_size(None)
        xdf.write(eeg, np.full((5, 2), 3, np.float32), np.arange(60.0, 65.0))
        xdf.close()
    report = verify(tmp_path / "a.xdf")
    assert report.verdict == "clean"
    assert load(tmp_path / "a.xdf")["eeg"]["time_series"][:, 0].tolist() == [1] * 10 + [3] * 5


def test_a_disk_that_does_not_even_shorten_a_file_takes_no_more(tmp_path, monkeypatch):
    file = CheckedFile(tmp_path / "a.xdf")
    xdf = XdfWriter(file.put)
    eeg = xdf.add_stream(EEG)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", refuse)
        patch.setattr(os, "write", lambda fd, piece: real(fd, piece[:20]) and refuse(fd))
        for _ in range(3):
            with pytest.raises(OSError, match="Input/output"):
                xdf.write(eeg, np.ones((10, 2), np.float32), np.arange(10.0))
    assert verify(tmp_path / "a.xdf").verdict == "unfinished"
    xdf.write(eeg, np.ones((10, 2), np.float32), np.arange(10.0))  # it is back
    xdf.close()
    file.close()
    assert verify(tmp_path / "a.xdf").verdict == "clean"


def refuse(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_device_that_is_full_from_the_start_says_so(tmp_path):
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space"):
        XdfWriter(full.write)


def test_closing_twice_is_harmless(tmp_path):
    file = CheckedFile(tmp_path / "a.xdf")
    file.close()
    file.close()
    assert sidecar_of(tmp_path / "a.xdf").exists()


def test_pieces_that_belong_together_are_written_all_or_none(tmp_path, limit_file_size):
    def write(value):
        counts = xdf.counts()
        try:
            with file.together():
                xdf.write(first, np.full((10, 2), value, np.float32), np.arange(10.0))
                xdf.write(second, np.full((10, 2), value, np.float32), np.arange(10.0))
        except OSError:
            xdf.recall(counts)
            raise

    with CheckedFile(tmp_path / "a.xdf") as file:
        xdf = XdfWriter(file.put)
        first, second = xdf.add_stream(EEG), xdf.add_stream(replace(EEG, name="other"))
        write(1)
        limit_file_size(file.size + 200)  # room for one of two
        with pytest.raises(OSError, match="too large"):
            write(2)
        limit_file_size(None)
        write(3)
        xdf.close()
    assert verify(tmp_path / "a.xdf").verdict == "clean"
    streams = load(tmp_path / "a.xdf")
    for name in ("eeg", "other"):
        assert streams[name]["time_series"][:, 0].tolist() == [1] * 10 + [3] * 10
