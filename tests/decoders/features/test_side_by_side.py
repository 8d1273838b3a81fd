import numpy as np
import pytest

from decoders.features.bandpass import Bandpass
from decoders.features.epoch import Epoch
from decoders.features.log_power import LogPower
from decoders.features.side_by_side import SideBySide
from decoders.features.smooth import Smooth
from decoders.stage import Chain, Mismatch
from devices.signal import Signal

EEG = Signal(250.0, ("C3", "C4"), "uV")


def test_each_chain_says_what_it_says_alone(noise, blockwise):
    slow, fast = Chain((Epoch(0.4, 0.1),)), Chain((Bandpass(8.0, 30.0), LogPower(0.2)))
    both = blockwise(SideBySide([slow, fast]), noise)
    alone = blockwise(SideBySide([slow]), noise), blockwise(SideBySide([fast]), noise)
    n = len(both)
    assert n == min(map(len, alone))
    assert (both == np.hstack([rows[-n:] for rows in alone])).all()
    assert (alone[0] == blockwise(slow, noise)).all()


def test_features_say_which_chain_they_are_of():
    step = SideBySide([Chain((Epoch(0.2),)), Chain((LogPower(),))]).start(EEG, 25)
    assert step.signal.channels == (
        *("1: C3 -100 ms", "1: C3 -0 ms", "1: C4 -100 ms", "1: C4 -0 ms"),
        *("2: C3", "2: C4"),
    )
    assert step.signal.rate_hz == 10.0


def test_chains_that_differ_in_rows_are_refused():
    with pytest.raises(Mismatch, match="they put out 25, 1"):
        SideBySide([Chain((Smooth(0.1),)), Chain((LogPower(),))]).start(EEG, 25)


def test_no_chain_is_refused():
    with pytest.raises(ValueError, match="at least one chain"):
        SideBySide([])
