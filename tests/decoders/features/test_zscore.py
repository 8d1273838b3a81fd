import numpy as np
import pytest

from decoders.features.zscore import Zscore


def by_formula(x: np.ndarray, longest: float) -> np.ndarray:
    out = []
    mean, variance = x[0].copy(), np.zeros(x.shape[1])
    for t, row in enumerate(x, 1):
        w = 1 / min(t, longest)
        delta = row - mean
        mean = mean + w * delta
        variance = (1 - w) * (variance + w * delta**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            out.append(np.where(variance > 0, (row - mean) / np.sqrt(variance), 0.0))
    return np.array(out)


def test_follows_its_formula(noise, blockwise):
    expected = by_formula(noise.astype(float), 250.0)
    assert blockwise(Zscore(1.0, 0.0), noise) == pytest.approx(expected, abs=1e-9)


def test_before_the_time_constant_it_is_the_plain_mean_and_deviation(noise, blockwise):
    x = noise.astype(float)[:500]
    rows = blockwise(Zscore(100.0, 0.0), noise[:500])
    assert rows[-1] == pytest.approx((x[-1] - x.mean(axis=0)) / x.std(axis=0), abs=1e-9)


def test_offset_and_scale_are_gone(noise, blockwise):
    moved = noise * 50 - 3000
    assert blockwise(Zscore(1.0), moved) == pytest.approx(blockwise(Zscore(1.0), noise), abs=1e-2)


def test_rows_begin_after_the_warm_up(noise, blockwise):
    assert len(blockwise(Zscore(1.0, 2.0), noise)) == 2500 - 500


def test_the_limit_cuts(noise, blockwise):
    struck = noise.copy()
    struck[1000] = 1e6
    assert np.abs(blockwise(Zscore(5.0, 1.0, limit=6.0), struck)).max() == 6.0


def test_a_flat_channel_is_zero(blockwise):
    assert not blockwise(Zscore(1.0, 0.0), np.full((500, 2), 0.1, np.float32)).any()
