import gc
import sys
import time

import numpy as np
import pytest

from devices.adapters.brainflow import Brainflow
from devices.clock import MONOTONIC
from devices.device import DeviceNotFound, DeviceRefused, EndOfStream

pytest.importorskip("brainflow", reason="the extra `brainflow` is not installed")

DEADLINE_S = 20.0


def read_samples(stream, n):
    end = time.monotonic() + DEADLINE_S
    chunks = []
    while sum(map(len, chunks)) < n and time.monotonic() < end:
        if (chunk := stream.read(1.0)) is not None:
            chunks.append(chunk)
    assert sum(map(len, chunks)) >= n
    return chunks


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Write a second of the synthetic board to a file, as BrainFlow does; also as an array."""
    from brainflow import board_shim

    path = tmp_path_factory.mktemp("brainflow") / "synthetic.csv"
    with Brainflow().open():  # loads the library quietly
        pass
    board = board_shim.BoardShim(-1, board_shim.BrainFlowInputParams())
    board.prepare_session()
    board.start_stream(45000, f"file://{path}:w")
    end = time.monotonic() + DEADLINE_S
    while board.get_board_data_count() < 250 and time.monotonic() < end:
        MONOTONIC.sleep_until(MONOTONIC.now() + 0.02)
    board.stop_stream()
    board.release_session()
    return path, np.loadtxt(path)


def test_the_synthetic_board_is_described_as_it_is():
    with Brainflow(board="synthetic").open() as stream:
        assert stream.signal.rate_hz == 250
        assert stream.signal.unit == "uV"
        assert stream.signal.channels[:4] == ("Fz", "C3", "Cz", "C4")
        assert stream.signal.n_channels == 16
        assert stream.identity.startswith("brainflow:SYNTHETIC_BOARD")


def test_stamps_are_on_the_monotonic_clock_in_order_and_even_on_average():
    start_s = time.monotonic()
    with Brainflow().open() as stream:
        chunks = read_samples(stream, 250)
        times = np.concatenate([c.times for c in chunks])
        assert start_s - 0.1 < times[0]
        assert times[-1] <= time.monotonic() + 0.1
        assert (np.diff(times) >= 0).all()
        assert not any(c.gap for c in chunks)
        assert all(c.values.dtype == np.float32 and c.values.flags.c_contiguous for c in chunks)
        health = stream.health()
        assert health.n_samples == len(times)
        assert health.n_lost == 0


def test_markers_come_with_the_time_of_their_sample():
    from brainflow import board_shim

    with Brainflow().open() as stream:
        read_samples(stream, 5)
        same_session = board_shim.BoardShim(-1, board_shim.BrainFlowInputParams())
        same_session.insert_marker(7.0)
        times = np.concatenate([c.times for c in read_samples(stream, 50)])
        (marker,) = stream.take_markers()
        assert marker.label == "7"
        assert marker.time_s in times
    del same_session


def test_a_file_is_played_back_as_it_was_recorded(recorded):
    path, rows = recorded
    with Brainflow(
        board="playback_file", file=str(path), master_board="synthetic"
    ).open() as stream:
        assert stream.signal.channels[0] == "Fz"
        values = np.concatenate([c.values for c in read_samples(stream, 200)])
    np.testing.assert_array_equal(values[:200], rows[:200, 1:17].astype(np.float32))


def test_packages_that_are_missing_are_a_gap(recorded, tmp_path):
    path, rows = recorded
    lines = path.read_text().splitlines(keepends=True)
    torn = tmp_path / "torn.csv"
    torn.write_text("".join(lines[:100] + lines[110:]))
    with Brainflow(board="-3", file=str(torn), master_board="-1").open() as stream:
        chunks = read_samples(stream, 180)
        assert stream.health().n_lost == 10
        assert stream.health().n_gaps == 1
    after_gap = next(c for c in chunks if c.gap)
    assert sum(len(c) for c in chunks if c.times[-1] < after_gap.times[0]) == 100
    np.testing.assert_array_equal(after_gap.values[0], rows[110, 1:17].astype(np.float32))


def test_a_closed_board_can_be_opened_again_and_so_can_a_forgotten_one():
    stream = Brainflow().open()
    stream.close()
    stream.close()
    with pytest.raises(EndOfStream):
        stream.read(0.1)
    forgotten = Brainflow().open()
    del forgotten
    gc.collect()
    Brainflow().open().close()


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({"board": "nix"}, DeviceRefused, "no board 'nix'; it knows: .*CYTON_BOARD"),
        ({"board": "999"}, DeviceRefused, "no board '999'"),
        ({"board": "cyton"}, DeviceRefused, "a connection field is missing"),
        ({"board": "cyton", "serial_port": "/dev/none"}, DeviceNotFound, "serial_port names it"),
        ({"board": "playback_file"}, DeviceRefused, "needs master_board"),
        ({"board": "emotibit"}, DeviceRefused, "no biosignal in this preset"),
        (
            {"board": "playback_file", "file": "/none", "master_board": "synthetic"},
            DeviceRefused,
            "playback: file",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(fields, kind, says):
    with pytest.raises(kind, match=says):
        Brainflow(**fields).open()


def test_a_board_that_is_open_already_is_refused():
    with Brainflow().open() as stream:
        with pytest.raises(DeviceRefused, match="open already in this process"):
            Brainflow().open()
        gc.collect()
        read_samples(stream, 5)
    Brainflow().open().close()


def test_without_the_package_the_command_to_install_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "brainflow", None)
    with pytest.raises(DeviceNotFound, match="pip install brainflow"):
        Brainflow().open()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"chunk_s": 0.0}, "chunk_s must be positive"),
        ({"buffer_s": 0.0}, "buffer_s must be 1 to 3600"),
        ({"timeout_s": -1}, "timeout_s cannot be negative"),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields, says):
    with pytest.raises(ValueError, match=says):
        Brainflow(**fields)
