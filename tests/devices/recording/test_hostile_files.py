"""Files from a stranger: whatever is in them, they are judged or refused, never a crash."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.device import DeviceError
from devices.recording.checksums import sidecar_of
from devices.recording.recover import recover
from devices.recording.verify import verify
from devices.recording.xdf_format import MAGIC, Tag, small_chunk
from tests.devices.recording.recordings import record

ANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def path(tmp_path):
    return record(tmp_path / "a.xdf", chunks=range(4))


def judge(path, tmp_path):
    try:
        report = verify(path)
    except DeviceError:
        return
    assert report.n_bytes == path.stat().st_size
    target = tmp_path / "recovered.xdf"
    recover(path, target)
    assert verify(target).verdict in ("clean", "unfinished")  # without a stream there is no end
    target.unlink()
    sidecar_of(target).unlink()


EDITS = st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=12)), max_size=8)


@ANY
@given(edits=EDITS, cut=st.integers(0, 4000), has_sums=st.booleans())
def test_any_edit_of_a_recording(path, tmp_path, edits, cut, has_sums):
    content, sums = path.read_bytes(), sidecar_of(path).read_bytes()
    edited = bytearray(content)
    for at, new in edits:
        edited[at : at + len(new)] = new
    other = tmp_path / "b.xdf"
    other.write_bytes(edited[: cut or None])
    if has_sums:
        sidecar_of(other).write_bytes(sums)
    else:
        sidecar_of(other).unlink(missing_ok=True)
    judge(other, tmp_path)


@ANY
@given(sums=st.binary(max_size=600))
def test_any_bytes_for_checksums(path, tmp_path, sums):
    sidecar_of(path).write_bytes(sums)
    judge(path, tmp_path)


@ANY
@given(body=st.binary(max_size=300))
def test_any_bytes_behind_the_magic(tmp_path, body):
    (tmp_path / "c.xdf").write_bytes(MAGIC + body)
    judge(tmp_path / "c.xdf", tmp_path)


def header(**fields):
    known = {
        "name": "a",
        "type": "EEG",
        "channel_count": "2",
        "channel_format": "float32",
        "nominal_srate": "100",
    }
    inner = "".join(f"<{k}>{v}</{k}>" for k, v in {**known, **fields}.items())
    return small_chunk(Tag.STREAM_HEADER, 1, f"<info>{inner}</info>".encode())


def samples(n, content=b"", length=8):
    count = struct.pack("<BQ" if length == 8 else "<BI", length, n)
    return small_chunk(Tag.SAMPLES, 1, count + content)


@pytest.mark.parametrize(
    "chunks",
    [
        [header(channel_count="99999999999")],
        [header(channel_count="-1")],
        [header(channel_count="2.5")],
        [header(nominal_srate="inf")],
        [header(nominal_srate="-5")],
        [header(channel_format="float1024")],
        [small_chunk(Tag.STREAM_HEADER, 1, b"<info>" + b"<a>" * 10_000)],
        [
            small_chunk(
                Tag.STREAM_HEADER,
                1,
                b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><info>&b;</info>',
            )
        ],
        [header(), samples(2**62)],
        [header(), samples(2**31, b"\x08" * 100)],
        [header(channel_count="1000000"), samples(100, b"\x00" * 100)],
        [header(channel_format="string"), samples(2**40, b"\x08" * 50)],
        [header(), header()],
        [samples(1, b"\0" * 9)],
        [b"\x08" + b"\xff" * 8 + b"\x03\x00"],
        [b"\x04\xff\xff\xff\xff\x03\x00"],
        [b"\x04\x00\x00\x00\x00"],
    ],
)
def test_absurd_claims_cost_no_memory_and_are_damage(tmp_path, chunks):
    import tracemalloc

    path = tmp_path / "d.xdf"
    path.write_bytes(MAGIC + b"".join(chunks))
    tracemalloc.start()
    report = verify(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.verdict in ("damaged", "unfinished")
    assert report.damages
    assert peak < 20e6


def test_stamps_that_are_no_numbers_are_counted_and_break_nothing(tmp_path):
    rows = np.zeros(4, np.dtype([("n", "u1"), ("t", "<f8"), ("v", "<f4", (2,))]))
    rows["n"], rows["t"] = 8, [np.nan, np.inf, np.inf, -np.inf]
    path = tmp_path / "e.xdf"
    path.write_bytes(MAGIC + header() + samples(4, rows.tobytes()))
    (stream,) = verify(path).streams
    assert (stream.n_samples, stream.n_not_finite) == (4, 4)
