import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import sosfilt, sosfilt_zi

from decoders.numerics.iir import SosFilter, butterworth
from decoders.stage import Mismatch

DESIGNS = {
    "eeg band": ("bandpass", (8.0, 30.0), 4, 250.0),
    "spike band": ("bandpass", (300.0, 6000.0), 4, 30_000.0),
    "drift, 0.1 Hz at 30 kHz": ("highpass", (0.1,), 2, 30_000.0),
    "narrow": ("bandpass", (0.5, 4.0), 3, 2_000.0),
    "low-pass": ("lowpass", (40.0,), 5, 1_000.0),
}


def noise(n: int, n_channels: int, offset: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(n * n_channels)
    return (rng.standard_normal((n, n_channels)) * 20 + offset).astype(np.float32)


def by_scipy(sos: np.ndarray, x: np.ndarray) -> np.ndarray:
    state = sosfilt_zi(sos)[:, :, np.newaxis] * x[0]
    y, _ = sosfilt(sos, x.astype(np.float64), axis=0, zi=state)
    return y


def by_blocks(sos: np.ndarray, x: np.ndarray, block: int) -> np.ndarray:
    run = SosFilter(sos, block, x.shape[1])
    return np.concatenate([run(x[i : i + block]).copy() for i in range(0, len(x), block)])


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
@pytest.mark.parametrize("block", [1, 5, 30, 48, 49, 100, 997])
def test_equals_scipy_whatever_the_block(design: tuple, block: int) -> None:
    sos = butterworth(*design)
    x = noise(block * max(2, 4000 // block), 3)
    expected = by_scipy(sos, x)
    assert np.abs(by_blocks(sos, x, block) - expected).max() < 1e-9 * np.abs(expected).max()


@given(st.integers(1, 200), st.integers(1, 4), st.floats(-1e5, 1e5, width=32))
def test_equals_scipy_for_any_shape_and_offset(block: int, n_channels: int, offset: float) -> None:
    sos = butterworth("bandpass", (1.0, 40.0), 2, 250.0)
    x = noise(block * 3, n_channels, offset)
    scale = max(20.0, abs(offset))
    assert np.abs(by_blocks(sos, x, block) - by_scipy(sos, x)).max() < 1e-9 * scale


def test_a_slow_filter_at_a_high_rate_stays_right_for_a_minute() -> None:
    sos = butterworth("highpass", (0.1,), 4, 30_000.0)
    x = noise(60 * 30_000, 1, offset=1000.0)
    expected = by_scipy(sos, x)
    assert np.abs(by_blocks(sos, x, 30) - expected).max() < 1e-9 * np.abs(x).max()


def test_an_offset_makes_no_transient() -> None:
    sos = butterworth("bandpass", (8.0, 30.0), 4, 250.0)
    x = np.full((500, 2), 150_000.0, np.float32)
    assert np.abs(by_blocks(sos, x, 25)).max() < 1e-4


def test_an_edge_above_half_the_rate_is_refused_with_both_values() -> None:
    with pytest.raises(Mismatch, match=r"up to 130 Hz needs more than 260.*has 250 Hz"):
        butterworth("bandpass", (8.0, 130.0), 4, 250.0)


def test_after_a_gap_nothing_is_designed_anew(monkeypatch):
    design = "bandpass", (7.0, 31.0), 3, 250.0
    x = np.random.default_rng(0).standard_normal((100, 2))
    before = SosFilter(butterworth(*design), 100, 2)(x).copy()
    for name in ("butter", "sosfilt", "sosfilt_zi"):
        monkeypatch.delattr(f"scipy.signal.{name}")
    np.testing.assert_array_equal(SosFilter(butterworth(*design), 100, 2)(x), before)
