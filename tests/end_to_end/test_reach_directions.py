"""The velocity of a reaching hand from spikes in bins of 20 ms, on reaches that were not fitted."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci_server.config import load_session
from bci_server.evaluation.evaluate import Controls, evaluate_each
from decoders.calibrating.calibration import calibrate
from decoders.models.ridge import Ridge
from devices.adapters.recording import Recording
from devices.recording.formats import open_recording

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def parts(
    shared_data: Path, tmp_path: Path, dataset_script: Callable[..., int]
) -> tuple[Recording, Recording]:
    archive = shared_data / "reach_shenoy" / "shenoy_reach_open.npz"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    assert dataset_script("reach_shenoy", archive, tmp_path / "fit.xdf", "--to", "0.8") == 0
    assert dataset_script("reach_shenoy", archive, tmp_path / "rest.xdf", "--from", "0.8") == 0
    fit, rest = (
        Recording(
            str(tmp_path / name), stream="spikes", truth="velocity", speed=math.inf, chunk_s=1.0
        )
        for name in ("fit.xdf", "rest.xdf")
    )
    return fit, rest


def test_velocity_follows_from_spikes_and_not_from_another_reach_s(
    parts: tuple[Recording, Recording],
) -> None:
    session = load_session(ROOT / "examples" / "sessions" / "reach_directions.toml")
    # One penalty of the session's three: the choice among them takes ten seconds.
    assert isinstance(session.decoder, Ridge)
    session = replace(session, decoder=replace(session.decoder, alpha=0.1))
    fit, rest = parts
    target = ("vx", "vy")
    model = calibrate(session.pipeline, session.decoder, [fit], target, scored=False)
    controls = [Controls(), Controls(shift_s=50.0)]
    result, shifted = evaluate_each(
        model, session.pipeline, session.decoder, [rest], target, controls=controls
    )
    vx, vy = result.metrics["r2"]
    assert vx >= 0.73
    assert vy >= 0.67
    assert max(shifted.metrics["r2"]) <= 0.05


def test_every_part_holds_all_directions_and_each_reach_is_apart(
    parts: tuple[Recording, Recording], shared_data: Path
) -> None:
    n_bins, n_reaches = 0, 0
    for part in parts:
        file = open_recording(Path(part.path))
        track = next(t for t in file.tracks if t.name == "spikes")
        cues = file.markers["targets"]
        assert {m.label for m in cues} == set("12345678")
        assert len(track.breaks) == len(cues) - 1
        n_bins += track.n_samples
        n_reaches += len(cues)
        file.close()
    with np.load(shared_data / "reach_shenoy" / "shenoy_reach_open.npz") as arrays:
        assert n_bins == len(arrays["trial"])
    assert n_reaches == 640


def test_velocity_is_what_the_hand_covered(
    tmp_path: Path, dataset_script: Callable[..., int]
) -> None:
    n = 30
    hand = np.cumsum(np.random.default_rng(0).standard_normal((n, 3)), axis=0).astype(np.float32)
    archive = tmp_path / "in.npz"
    arrays = {
        "counts_20ms": np.ones((n, 4), np.uint8),
        "hand_pos_mm": hand,
        "direction": np.full(n, 3),
        "trial": np.full(n, 7),
    }
    np.savez(archive, **arrays)
    assert dataset_script("reach_shenoy", archive, tmp_path / "out.xdf") == 0
    assert dataset_script("reach_shenoy", archive, tmp_path / "out.xdf") == 1
    file = open_recording(tmp_path / "out.xdf")
    velocity = next(t for t in file.tracks if t.name == "velocity").read(0, n)
    file.close()
    assert velocity[0] == pytest.approx([0.0, 0.0])
    assert velocity[1:] == pytest.approx(np.diff(hand[:, :2], axis=0) * 50, rel=1e-4, abs=1e-3)
