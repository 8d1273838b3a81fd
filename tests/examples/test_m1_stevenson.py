from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from devices.recording.formats import open_recording


@pytest.fixture
def run(dataset_script: Callable[..., int]) -> Callable[..., int]:
    return partial(dataset_script, "m1_stevenson")


@pytest.fixture
def archive(shared_data: Path) -> Path:
    return shared_data / "m1_stevenson" / "stevenson_first70.npz"


def test_two_parts_hold_every_bin_once(
    tmp_path: Path, archive: Path, run: Callable[..., int]
) -> None:
    arrays = np.load(archive)
    assert run(archive, tmp_path / "fit.xdf", "--part", "first:0.8") == 0
    assert run(archive, tmp_path / "rest.xdf", "--from", "0.8") == 0
    files = [open_recording(tmp_path / name) for name in ("fit.xdf", "rest.xdf")]
    expected = {
        "spikes": ("count", arrays["spikes"]),
        "velocity": ("m/s", arrays["handVel"][:, :2]),
        "position": ("m", arrays["handPos"][:, :2]),
    }
    for name, (unit, values) in expected.items():
        tracks = [next(t for t in file.tracks if t.name == name) for file in files]
        assert {track.signal.unit for track in tracks} == {unit}
        assert {track.signal.rate_hz for track in tracks} == {20.0}
        together = np.concatenate([track.read(0, track.n_samples) for track in tracks])
        assert np.array_equal(together, values.astype(np.float32))
        times = np.concatenate([track.times(0, track.n_samples) for track in tracks])
        assert np.abs(times - arrays["time"]).max() < 0.002
        assert all(len(track.breaks) == 0 for track in tracks)
    for file in files:
        assert file.default is not None
        assert file.default.name == "spikes"
    assert sum(len(file.markers["reaches"]) for file in files) == arrays["startBinned"].sum()
    for file in files:
        file.close()


def test_nothing_is_overwritten_and_other_archives_are_refused(
    tmp_path: Path, archive: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.xdf"
    out.write_bytes(b"mine")
    assert run(archive, out) == 1
    assert out.read_bytes() == b"mine"
    other = tmp_path / "other.npz"
    np.savez(other, a=np.zeros(3))
    assert run(other, tmp_path / "new.xdf") == 1
    assert "has no array 'spikes'; it has a" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(archive, tmp_path / "new.xdf", "--from", "0.9", "--to", "0.1")
