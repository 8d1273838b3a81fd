import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfilt_zi

from decoders.features.filter_bank import FilterBank
from decoders.features.filter_bank_cca import FilterBankCca
from decoders.stage import Mismatch
from devices.signal import Signal

RATE_HZ = 250.0


def by_scipy(x, low, high):
    sos = butter(4, [low, high], "bandpass", fs=RATE_HZ, output="sos")
    state = sosfilt_zi(sos)[:, :, np.newaxis] * x[0]
    return sosfilt(sos, x.astype(float), axis=0, zi=state)[0]


def test_bands_are_side_by_side(noise, blockwise):
    rows = blockwise(FilterBank({"mu": (8.0, 13.0), "beta": (13.0, 30.0)}), noise)
    expected = np.hstack([by_scipy(noise, 8, 13), by_scipy(noise, 13, 30)])
    assert rows == pytest.approx(expected, abs=1e-8)


def test_channels_are_named_after_their_band():
    step = FilterBank({"mu": (8.0, 13.0), "beta": (13.0, 30.0)}).start(
        Signal(250.0, ("C3", "C4"), "uV"), 25
    )
    assert step.signal == Signal(250.0, ("C3 mu", "C4 mu", "C3 beta", "C4 beta"), "uV")


def by_bases(x, y):
    """Canonical correlation as the cosine between two subspaces (Björck & Golub 1973)."""
    left, right = np.linalg.qr(x)[0], np.linalg.qr(y)[0]
    return np.linalg.svd(left.T @ right, compute_uv=False)[0]


def sines(frequency_hz, harmonics, t):
    turns = 2 * np.pi * frequency_hz * np.outer(t, np.arange(1, harmonics + 1))
    return np.hstack([np.sin(turns), np.cos(turns)])


def test_it_is_the_canonical_correlation_of_the_window(noise, blockwise):
    bands, frequencies_hz = ((6.0, 40.0), (15.0, 60.0)), (11.0, 13.7)
    rows = blockwise(FilterBankCca(frequencies_hz, 1.0, bands, 3), noise)
    t = np.arange(len(noise)) / RATE_HZ
    for row, end in zip(rows, range(250, 2501, 25), strict=True):
        part = slice(end - 250, end)
        expected = [
            by_bases(by_scipy(noise, *band)[part], sines(f, 3, t[part]))
            for band in bands
            for f in frequencies_hz
        ]
        assert row == pytest.approx(expected, abs=1e-7)


def test_a_flicker_of_any_phase_stands_out(noise, blockwise):
    t = np.arange(len(noise)) / RATE_HZ
    stage = FilterBankCca((11.0, 13.0, 17.0), 2.0)
    for phase in (0.0, 1.0, 2.5):
        wave = 12 * np.sin(2 * np.pi * 13 * t + phase)
        rows = blockwise(stage, noise + wave[:, np.newaxis] * [1.0, 0.5, -0.2])
        assert (rows.argmax(axis=1) == 1).all()


def test_a_channel_that_follows_another_changes_nothing(noise, blockwise):
    doubled = np.hstack([noise, noise[:, :1] * 2])
    stage = FilterBankCca((11.0,), 1.0)
    assert blockwise(stage, doubled) == pytest.approx(blockwise(stage, noise), abs=1e-4)


def test_the_sines_do_not_drift(noise, blockwise):
    stage = FilterBankCca((10.0,), 1.0)  # whole turns in what is repeated
    early, late = (blockwise(stage, np.tile(noise, (n, 1)))[-91:] for n in (3, 60))
    assert late == pytest.approx(early, abs=1e-9)


def test_features_say_which_flicker_and_band():
    step = FilterBankCca((13.0, 17.5), 1.0, ((6.0, 30.0),)).start(
        Signal(250.0, ("Oz", "O1"), "uV"), 25
    )
    assert step.signal == Signal(10.0, ("13 Hz, 6-30 Hz", "17.5 Hz, 6-30 Hz"), "1")


def test_harmonics_above_half_the_rate_and_short_windows_are_refused():
    signal = Signal(100.0, ("Oz", "O1"), "uV")
    with pytest.raises(Mismatch, match="60 Hz, does not lie below half the rate of 100 Hz"):
        FilterBankCca((20.0,), 1.0, ((6.0, 40.0),), 3).start(signal, 10)
    with pytest.raises(Mismatch, match="10 samples always correlate with 8 channels and 4 sines"):
        FilterBankCca((10.0,), 0.1, ((6.0, 40.0),)).start(
            Signal(100.0, tuple("abcdefgh"), "uV"), 10
        )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: FilterBank({}),
        lambda: FilterBank({"a": (9.0, 8.0)}),
        lambda: FilterBank({"a": (8.0, 9.0)}, 0),
        lambda: FilterBankCca((), 1.0),
        lambda: FilterBankCca((10.0, -1.0), 1.0),
        lambda: FilterBankCca((10.0,), 0.0),
        lambda: FilterBankCca((10.0,), 1.0, ()),
        lambda: FilterBankCca((10.0,), 1.0, harmonics=0),
    ],
)
def test_a_senseless_recipe_is_refused(wrong):
    with pytest.raises(ValueError, match=r"need|must be"):
        wrong()
