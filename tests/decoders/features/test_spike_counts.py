import numpy as np
import pytest

from decoders.features.spike_counts import SpikeCounts
from decoders.stage import Mismatch
from devices.signal import Signal

RATE_HZ = 30_000.0


def broadband(seconds: float, spikes_at: np.ndarray, depth: float = 120.0) -> np.ndarray:
    """Noise of 10 µV on two channels; spikes on the first."""
    n = round(seconds * RATE_HZ)
    x = np.random.default_rng(0).standard_normal((n, 2)) * 10
    shape = -depth * np.exp(-(((np.arange(-15, 16)) / 5.0) ** 2))
    for at in spikes_at:
        x[at - 15 : at + 16, 0] += shape
    return x.astype(np.float32)


def test_every_spike_is_counted_once_in_its_block(blockwise):
    at = np.random.default_rng(1).integers(2000, 60_000 - 500, 40)
    at = np.sort(at)[np.concatenate([[True], np.diff(np.sort(at)) > 200])]
    x = broadband(2.0, at)
    rows = blockwise(SpikeCounts(noise_s=0.04, threshold=-60.0), x, RATE_HZ, 600)
    expected = np.bincount((at + 3) // 600, minlength=100)
    assert np.abs(np.cumsum(rows[:, 0]) - np.cumsum(expected)).max() <= 1
    assert rows[:, 0].sum() == len(at)
    assert rows[:, 1].sum() == 0


def test_the_threshold_follows_the_noise_not_the_spikes(blockwise):
    at = np.arange(300, 60_000 - 300, 300)
    quiet, loud = broadband(2.0, at), broadband(2.0, at) * 8
    stage = SpikeCounts(noise_s=0.5)
    rows = blockwise(stage, quiet, RATE_HZ, 600)
    assert len(rows) == 100 - 25
    assert (rows == blockwise(stage, loud, RATE_HZ, 600)).all()
    assert rows[:, 0].sum() == pytest.approx(len(at) * 0.75, abs=3)
    assert rows[:, 1].sum() < 5


def test_upwards(blockwise):
    x = -broadband(1.0, np.arange(1000, 29_000, 1000))
    assert blockwise(SpikeCounts(threshold=60.0), x, RATE_HZ, 600)[:, 0].sum() == 28
    assert blockwise(SpikeCounts(threshold=-90.0), x, RATE_HZ, 600).sum() == 0


def test_a_crossing_between_two_blocks_counts_once(blockwise):
    x = broadband(1.0, np.array([15_000]))
    for block in (1, 7, 30, 600):
        assert blockwise(SpikeCounts(threshold=-60.0), x, RATE_HZ, block)[:, 0].sum() == 1


def test_a_flat_channel_counts_nothing(blockwise):
    rows = blockwise(SpikeCounts(noise_s=0.1), np.zeros((30_000, 1), np.float32), RATE_HZ, 600)
    assert not rows.any()


def test_noise_shorter_than_a_block_is_refused():
    with pytest.raises(Mismatch, match=r"noise_s = 0.01 s is shorter than one block of 0.02 s"):
        SpikeCounts(noise_s=0.01).start(Signal(RATE_HZ, ("u",), "uV"), 600)
