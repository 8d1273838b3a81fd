import numpy as np
import pytest

from devices.simulation.noise import Coloured, Smoothed, Tails, power_law, rhythm


def spectrum(values, rate_hz):
    pieces = values[: len(values) // 500 * 500].reshape(-1, 500)
    power = np.abs(np.fft.rfft(pieces * np.hanning(500), axis=1)) ** 2
    return np.fft.rfftfreq(500, 1 / rate_hz), power.mean(axis=0)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5, 2.0])
def test_power_falls_with_the_exponent(exponent):
    noise = Coloured(power_law(exponent, 250.0), 1, np.random.default_rng(0))
    hz, power = spectrum(noise.next(200_000)[:, 0], 250.0)
    fitted = (hz >= 2) & (hz <= 60)
    slope = np.polyfit(np.log(hz[fitted]), np.log(power[fitted]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.15)


def test_a_rhythm_peaks_where_and_as_widely_as_it_was_told_to():
    noise = Coloured(rhythm(11.0, 3.0, 250.0), 1, np.random.default_rng(0))
    hz, power = spectrum(noise.next(400_000)[:, 0], 250.0)
    assert hz[power.argmax()] == pytest.approx(11.0, abs=0.5)
    strong = hz[power > power.max() / 2]
    assert strong[-1] - strong[0] == pytest.approx(3.0, abs=1.0)


@pytest.mark.parametrize("sos", [power_law(1.2, 250.0), rhythm(10.0, 1.5, 250.0)])
def test_noise_has_a_standard_deviation_of_one_and_no_correlation(sos):
    values = Coloured(sos, 2, np.random.default_rng(1)).next(400_000)[5000:]
    assert values.std(axis=0) == pytest.approx(1.0, abs=0.08)
    assert abs(np.corrcoef(values.T)[0, 1]) < 0.1


def test_tails_last_into_later_blocks_and_add_up():
    tails = Tails(1)
    tails.add(2, np.array([[1.0], [2.0], [3.0]]))
    tails.add(3, np.array([[10.0], [10.0]]))
    assert tails.next(3).ravel().tolist() == [0, 0, 1]
    assert tails.next(3).ravel().tolist() == [12, 13, 0]
    assert tails.next(2).ravel().tolist() == [0, 0]


def test_smoothing_ends_where_the_step_went_whatever_the_blocks():
    step = np.vstack((np.zeros((10, 1)), np.ones((490, 1))))
    whole = Smoothed(1, 0.1, 250.0).next(step)
    piecewise = Smoothed(1, 0.1, 250.0)
    pieces = [piecewise.next(piece) for piece in np.split(step, [7, 30, 31, 200])]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert whole[9, 0] == 0
    assert whole[-1, 0] == pytest.approx(1.0, abs=1e-3)
    assert (np.diff(whole[:, 0]) >= 0).all()
