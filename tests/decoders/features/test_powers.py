import numpy as np
import pytest

from decoders.features.band_power import BandPower
from decoders.features.bandpass import Bandpass
from decoders.features.log_power import LogPower
from decoders.features.spike_power import SpikePower
from decoders.stage import Mismatch
from devices.signal import Signal


def test_log_power_of_a_block(noise, blockwise):
    expected = np.log((noise.astype(float) ** 2).reshape(100, 25, 3).mean(axis=1))
    assert blockwise(LogPower(), noise) == pytest.approx(expected, rel=1e-12)


def test_log_power_of_a_window_begins_once_it_is_full(noise, blockwise):
    squares = noise.astype(float) ** 2
    expected = [np.log(squares[end - 100 : end].mean(axis=0)) for end in range(100, 2501, 25)]
    assert blockwise(LogPower(0.4), noise) == pytest.approx(np.array(expected), rel=1e-12)


def test_nothing_of_an_artefact_stays_once_the_window_has_passed_it(noise, blockwise):
    struck = noise.copy()
    struck[500] = 1e8
    rows, clean = blockwise(LogPower(0.4), struck), blockwise(LogPower(0.4), noise)
    # Row i is of the window that ends with block i + 4; the artefact is in block 20.
    assert (rows[17:21] != clean[17:21]).any(axis=1).all()
    assert (rows[21:] == clean[21:]).all()


def test_a_dead_channel_has_a_finite_power(blockwise):
    assert blockwise(LogPower(), np.zeros((50, 1), np.float32)) == pytest.approx(-354.2, abs=0.1)


def test_band_power_is_band_pass_and_log_power_in_each_band(noise, blockwise):
    bands = {"mu": (8.0, 13.0), "beta": (13.0, 30.0)}
    out = blockwise(BandPower(bands, 0.4, 3), noise)
    for i, (low, high) in enumerate(bands.values()):
        expected = blockwise(LogPower(0.4), blockwise(Bandpass(low, high, 3), noise))
        assert out[:, 3 * i : 3 * i + 3] == pytest.approx(expected, rel=1e-9)


def test_band_power_names_its_features():
    step = BandPower().start(Signal(250.0, ("C3", "C4"), "uV"), 25)
    assert step.signal == Signal(10.0, ("C3 mu", "C4 mu", "C3 beta", "C4 beta"), "ln(uV^2)")


def test_spike_power_is_the_mean_absolute_value_in_the_band(blockwise):
    x = np.random.default_rng(1).standard_normal((3000, 2)).astype(np.float32)
    band = blockwise(Bandpass(300, 1000, 2), x, 30_000.0, 30)
    expected = np.abs(band).reshape(100, 30, 2).mean(axis=1)
    assert blockwise(SpikePower(), x, 30_000.0, 30) == pytest.approx(expected, rel=1e-12)


def test_a_window_shorter_than_a_block_is_refused_with_both():
    with pytest.raises(Mismatch, match=r"window_s = 0.01 s is shorter than one block of 0.1 s"):
        LogPower(0.01).start(Signal(250.0, ("C3",), "uV"), 25)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: LogPower(-1),
        lambda: BandPower({}),
        lambda: BandPower({"mu": (13.0, 8.0)}),
        lambda: BandPower(order=0),
        lambda: SpikePower(1000, 300),
    ],
)
def test_a_senseless_recipe_is_refused(wrong):
    with pytest.raises(ValueError, match=r"need|must"):
        wrong()
