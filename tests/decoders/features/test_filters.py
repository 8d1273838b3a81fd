import numpy as np
import pytest
from scipy.signal import butter, iirnotch, sosfilt, sosfilt_zi, tf2sos

from decoders.features.bandpass import Bandpass
from decoders.features.highpass import Highpass
from decoders.features.lowpass import Lowpass
from decoders.features.notch import Notch
from decoders.features.smooth import Smooth

RATE_HZ = 250.0
FILTERS = {
    "bandpass": (Bandpass(8, 30, 3), butter(3, [8, 30], "bandpass", fs=RATE_HZ, output="sos")),
    "highpass": (Highpass(0.5, 2), butter(2, 0.5, "highpass", fs=RATE_HZ, output="sos")),
    "lowpass": (Lowpass(40, 5), butter(5, 40, "lowpass", fs=RATE_HZ, output="sos")),
    "notch": (Notch(50), tf2sos(*iirnotch(50, 30, fs=RATE_HZ))),
}


@pytest.mark.parametrize(("stage", "sos"), FILTERS.values(), ids=FILTERS)
def test_equals_scipy(stage, sos, noise, blockwise):
    state = sosfilt_zi(sos)[:, :, np.newaxis] * noise[0]
    expected, _ = sosfilt(sos, noise.astype(float), axis=0, zi=state)
    assert np.abs(blockwise(stage, noise) - expected).max() < 1e-9 * np.abs(expected).max()


def sine(hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(5000) / RATE_HZ)[:, np.newaxis].astype(np.float32)


@pytest.mark.parametrize("hz", [50.0, 100.0])
def test_a_notch_takes_the_mains_and_its_harmonics_out(hz, blockwise):
    out = blockwise(Notch(50, harmonics=5), sine(hz))
    assert np.abs(out[-1000:]).max() < 1e-3


@pytest.mark.parametrize("hz", [10.0, 45.0, 55.0, 90.0])
def test_a_notch_leaves_the_rest(hz, blockwise):
    out = blockwise(Notch(50, harmonics=5), sine(hz))
    assert np.abs(out[-1000:]).max() == pytest.approx(1.0, abs=0.05)


def test_smoothing_lets_63_percent_of_a_step_through_after_its_time_constant(blockwise):
    step = np.zeros((500, 1), np.float32)
    step[100:] = 1.0
    out = blockwise(Smooth(0.4), step)
    assert out[99, 0] == 0.0
    assert out[99 + 100, 0] == pytest.approx(1 - np.exp(-1), abs=1e-9)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Bandpass(30, 8),
        lambda: Bandpass(0, 8),
        lambda: Bandpass(8, 30, 0),
        lambda: Highpass(-1),
        lambda: Lowpass(40, 0),
        lambda: Notch(harmonics=0),
        lambda: Smooth(0),
    ],
)
def test_a_senseless_recipe_is_refused(wrong):
    with pytest.raises(ValueError, match=r"needs|must"):
        wrong()
