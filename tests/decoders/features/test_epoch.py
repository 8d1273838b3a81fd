import numpy as np
import pytest

from decoders.features.epoch import Epoch
from decoders.stage import Mismatch
from devices.signal import Signal


def test_a_row_is_the_last_window_channel_by_channel(noise, blockwise):
    rows = blockwise(Epoch(0.4), noise, block=10)
    means = noise.astype(float).reshape(-1, 10, 3).mean(axis=1)
    expected = [means[end - 10 : end].T.ravel() for end in range(10, 251)]
    assert rows == pytest.approx(np.array(expected), rel=1e-12, abs=1e-9)


def test_steps_of_several_blocks_keep_the_blocks_precision(noise, blockwise):
    rows = blockwise(Epoch(0.4, 0.08), noise, block=5)  # 5 steps of 4 blocks of 5 samples
    x = noise.astype(float)
    expected = [
        x[end - 100 : end].reshape(5, 20, 3).mean(axis=1).T.ravel() for end in range(100, 2501, 5)
    ]
    assert rows == pytest.approx(np.array(expected), rel=1e-12, abs=1e-9)


def test_features_say_when():
    step = Epoch(0.3, 0.1).start(Signal(250.0, ("Cz", "Oz"), "uV"), 25)
    names = tuple(f"{c} {ms} ms" for c in ("Cz", "Oz") for ms in ("-200", "-100", "-0"))
    assert step.signal == Signal(10.0, names, "uV")


def test_a_window_of_less_than_a_step_is_refused():
    with pytest.raises(Mismatch, match=r"window_s = 0.1 s is less than half a step of 0.3 s"):
        Epoch(0.1).start(Signal(100.0, ("Cz",), "uV"), 30)


@pytest.mark.parametrize("wrong", [lambda: Epoch(0), lambda: Epoch(1, 2), lambda: Epoch(1, -1)])
def test_a_senseless_recipe_is_refused(wrong):
    with pytest.raises(ValueError, match="epoch needs"):
        wrong()
