import numpy as np
import pytest

from bci_server.safety.limits import Safety
from bci_server.safety.quality import Contact
from devices.signal import Signal

CHANNELS = ("a", "b", "c", "d")


def noise(n=5, seed=0):
    return np.random.default_rng(seed).normal(0.0, 10.0, (n, 4)).astype(np.float32)


def flat_for(contact, columns, n_blocks, value=3.0):
    """Feed blocks whose `columns` do not change; return at which block it was noticed."""
    noticed = []
    for i in range(n_blocks):
        block = noise(seed=i)
        block[:, columns] = value
        if contact.look(block):
            noticed.append(i)
    return noticed


def made(unit="uV", rate_hz=500.0, **rules):
    return Contact(Signal(rate_hz, CHANNELS, unit), Safety(**rules))


def test_a_signal_is_good():
    contact = made()
    assert not any(contact.look(noise(seed=i)) for i in range(50))
    assert (contact.quality, contact.bad) == ("good", {})


def test_a_channel_that_stands_still_degrades_and_too_many_are_bad():
    contact = made()
    assert flat_for(contact, [1], 10) == [5]  # 60 ms: 6 blocks of 10 ms
    assert (contact.quality, contact.bad) == ("degraded", {"b": "does not change"})
    flat_for(contact, [0, 1, 2], 10)
    assert contact.quality == "bad"
    flat_for(contact, [0, 1], 10)
    assert contact.quality == "degraded"
    assert contact.look(noise())
    assert (contact.quality, contact.bad) == ("good", {})


def test_still_within_each_block_is_not_still():
    contact = made()
    for i in range(20):
        block = np.full((5, 4), float(i), np.float32)
        assert not contact.look(block)


def test_few_samples_are_no_proof():
    contact = made(rate_hz=20.0)
    assert not contact.look(np.zeros((7, 4), np.float32))
    assert contact.look(np.zeros((1, 4), np.float32))


@pytest.mark.parametrize("unit", ["count", "1", "m/s"])
def test_what_is_no_voltage_may_stand_still(unit):
    contact = made(unit=unit)
    assert flat_for(contact, [0, 1, 2, 3], 100) == []
    assert contact.quality == "good"


def test_a_rail_is_told_where_it_is_known():
    contact = made(unit="count", saturated_at=100.0, max_bad_channels=0.0)
    assert not contact.look(np.full((5, 4), 99.0, np.float32))
    block = noise()
    block[2, 3] = -100.0
    assert contact.look(block)
    assert (contact.quality, contact.bad) == ("bad", {"d": "at its rail"})
    assert contact.look(noise())
    assert contact.quality == "good"


def test_values_that_are_no_numbers_are_not_flat():
    contact = made()
    assert not any(contact.look(np.full((5, 4), np.nan, np.float32)) for _ in range(20))
