import numpy as np
import pytest

from decoders.features.rereference import Rereference


def test_common_average(noise, blockwise):
    x = noise.astype(float)
    expected = x - x.mean(axis=1, keepdims=True)
    assert blockwise(Rereference(), noise) == pytest.approx(expected, abs=1e-12)


def test_named_channels(noise, blockwise):
    x = noise.astype(float)
    expected = x - x[:, [0, 2]].mean(axis=1, keepdims=True)
    assert blockwise(Rereference(("c2", "c0")), noise) == pytest.approx(expected, abs=1e-12)


def test_what_all_channels_share_is_gone(noise, blockwise):
    shared = np.linspace(-1e4, 1e4, len(noise), dtype=np.float32)[:, np.newaxis]
    both = blockwise(Rereference(), noise + shared)
    assert both == pytest.approx(blockwise(Rereference(), noise), abs=2e-3)
