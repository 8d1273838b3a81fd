import numpy as np
import pytest

from decoders.features.epoch import Epoch
from decoders.features.window import Window
from decoders.rows.sample_names import WindowShape, window_shape
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

EEG = Signal(250.0, ("C3", "Cz"), "uV")


def rows_of(stage, values, hop):
    step = stage.start(EEG, hop)
    times = np.arange(len(values)) / EEG.rate_hz
    rows = []
    for i in range(0, len(values) - hop + 1, hop):
        out = step(Chunk(times[i : i + hop], values[i : i + hop]))
        if len(out):
            rows.append((out.times[-1], out.values[-1].copy()))
    return step.signal, rows


@pytest.mark.parametrize(("hop", "step", "window_s"), [(25, 1, 0.5), (25, 5, 0.5), (10, 5, 0.62)])
def test_a_row_holds_the_newest_samples_channel_by_channel(hop, step, window_s):
    values = np.random.default_rng(0).standard_normal((500, 2)).astype(np.float32)
    signal, rows = rows_of(Window(window_s, step), values, hop)
    n = round(window_s * 250 / step)
    means = values.astype(np.float64).reshape(-1, step, 2).mean(axis=1)
    assert len(rows) == (500 - n * step) // hop + 1
    for end_s, row in rows:
        end = round(end_s * 250 / step + 1 / step)
        assert row.reshape(2, n) == pytest.approx(means[end - n : end].T, abs=1e-12)
    assert signal.rate_hz == 250 / hop
    assert window_shape(signal) == WindowShape(("C3", "Cz"), n, pytest.approx(250 / step, rel=1e-4))


def test_rows_of_epoch_are_windows_too():
    signal = Epoch(0.8, 0.1).start(EEG, 25).signal
    assert window_shape(signal) == WindowShape(("C3", "Cz"), 8, pytest.approx(10.0))


@pytest.mark.parametrize(
    "names",
    [("C3", "Cz"), ("C3 -4 ms", "C3 0 ms", "Cz 0 ms"), ("C3 -4 ms", "C3 0 ms", "Cz -4 ms", "Cz 1")],
)
def test_other_rows_are_no_windows(names):
    with pytest.raises(Mismatch, match="reads windows of samples; the steps put out C3"):
        window_shape(Signal(10.0, names, "uV"))


@pytest.mark.parametrize(
    ("stage", "hop", "message"),
    [
        (Window(0.5, 4), 25, "25 samples is no whole number of steps of 4"),
        (Window(0.005), 25, "holds 1 steps of 0.004 s; at least 2"),
    ],
)
def test_steps_that_do_not_fit_the_blocks_are_refused(stage, hop, message):
    with pytest.raises(Mismatch, match=message):
        stage.start(EEG, hop)


def test_keys_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"window_s = 0, step = 1"):
        Window(0)
