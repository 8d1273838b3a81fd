import numpy as np
import pytest

from decoders.features.rereference import Rereference
from decoders.stage import Mismatch
from devices.signal import Signal


def test_common_average(noise, blockwise):
    x = noise.astype(float)
    expected = x - x.mean(axis=1, keepdims=True)
    assert blockwise(Rereference(), noise) == pytest.approx(expected, abs=1e-12)


def test_named_channels(noise, blockwise):
    x = noise.astype(float)
    expected = x - x[:, [0, 2]].mean(axis=1, keepdims=True)
    assert blockwise(Rereference(("c2", "c0")), noise) == pytest.approx(expected, abs=1e-12)


def test_each_bank_has_its_own_average(noise, blockwise):
    x = np.hstack((noise, noise[::-1])).astype(float)
    n = noise.shape[1]
    expected = np.hstack([part - part.mean(axis=1, keepdims=True) for part in (x[:, :n], x[:, n:])])
    came = blockwise(Rereference(bank=n), x.astype(np.float32))
    assert came == pytest.approx(expected, abs=1e-12)
    # What one bank alone picks up stays out of the other.
    hum = x.copy()
    hum[:, :n] += 1000.0
    assert blockwise(Rereference(bank=n), hum.astype(np.float32))[:, n:] == pytest.approx(
        expected[:, n:], abs=1e-12
    )


def test_banks_must_fit():
    signal = Signal(100.0, ("a", "b", "c"), "uV")
    with pytest.raises(Mismatch, match="banks of 2 channels do not make up the 3 of the signal"):
        Rereference(bank=2).start(signal, 4)
    with pytest.raises(ValueError, match="bank must be 0, or 2 channels or more, not 1"):
        Rereference(bank=1)
    with pytest.raises(ValueError, match=r"a reference \(a\) or a bank \(2\), not both"):
        Rereference(reference=("a",), bank=2)


def test_what_all_channels_share_is_gone(noise, blockwise):
    shared = np.linspace(-1e4, 1e4, len(noise), dtype=np.float32)[:, np.newaxis]
    both = blockwise(Rereference(), noise + shared)
    assert both == pytest.approx(blockwise(Rereference(), noise), abs=2e-3)
