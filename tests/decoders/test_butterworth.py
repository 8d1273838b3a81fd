"""Designs without scipy, against scipy's."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.signal import butter, iirnotch

from decoders.butterworth import butterworth
from decoders.features.notch import Notch
from decoders.stage import Mismatch

SHARES = st.floats(1e-4, 0.49)


@given(
    st.sampled_from(["bandpass", "highpass", "lowpass"]),
    st.tuples(SHARES, SHARES),
    st.integers(1, 8),
    st.sampled_from([100.0, 250.0, 30_000.0]),
)
def test_sections_are_those_of_scipy(kind, shares, order, rate_hz):
    low, high = (share * rate_hz for share in sorted(shares))
    assume(high > 1.01 * low)
    edges = (low, high) if kind == "bandpass" else (low,)
    expected = butter(order, edges if len(edges) > 1 else low, kind, fs=rate_hz, output="sos")
    assert butterworth(kind, edges, order, rate_hz) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_an_edge_above_half_the_rate_is_refused_with_both_values():
    with pytest.raises(Mismatch, match=r"up to 130 Hz needs more than 260.*has 250 Hz"):
        butterworth("bandpass", (8.0, 130.0), 4, 250.0)


@pytest.mark.parametrize(("hz", "quality", "rate_hz"), [(50.0, 30.0, 250.0), (60.0, 5.0, 1000.0)])
def test_a_notch_is_the_one_of_scipy(hz, quality, rate_hz):
    expected = np.concatenate(iirnotch(hz, quality, rate_hz))
    (section,) = Notch(hz, 1, quality)._design(rate_hz)
    assert section == pytest.approx(expected, rel=1e-12)
