import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfreqz

from devices.simulation.cascade import filtered
from devices.simulation.noise import Coloured, high_passed, power_law, rhythm

DESIGNS = [power_law(1.2, 250.0), rhythm(10.0, 1.5, 250.0), butter(8, 0.3, output="sos")]


@pytest.mark.parametrize("sos", DESIGNS)
def test_it_is_what_scipy_says_to_the_bit_however_it_is_cut(sos):
    x = np.random.default_rng(0).standard_normal((2000, 3))
    start = np.random.default_rng(1).standard_normal((len(sos), 2, 3))
    expected, end = sosfilt(sos, x, axis=0, zi=start)
    state, found = start, []
    for part in np.split(x, [1, 3, 50, 199]):  # the last one is long enough for scipy
        out, state = filtered(sos, part, state)
        found.append(out)
    assert np.array_equal(np.concatenate(found), expected)
    assert np.array_equal(state, end)
    assert not np.array_equal(start, state)


@pytest.mark.parametrize(("corner_hz", "rate_hz"), [(20.0, 250.0), (0.5, 5000.0)])
def test_a_high_pass_is_the_one_that_scipy_designs(corner_hz, rate_hz):
    expected = butter(2, corner_hz, "highpass", fs=rate_hz, output="sos")
    assert high_passed(corner_hz, rate_hz) == pytest.approx(expected, rel=1e-9)


def test_noise_is_scaled_by_what_the_filter_lets_through():
    sos = power_law(1.5, 250.0)
    _, response = sosfreqz(sos, 1 << 16)
    gain = np.sqrt(np.mean(np.abs(response) ** 2))
    assert Coloured(sos, 1, None)._sos[0, 0] == pytest.approx(sos[0, 0] / gain, rel=1e-9)
