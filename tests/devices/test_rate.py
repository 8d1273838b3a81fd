import pytest

from devices.rate import RateMeter


def test_the_rate_is_unknown_during_the_first_second():
    meter = RateMeter(0.0)
    meter.feed(100, 0.5)
    assert meter.rate_hz(0.9) == 0.0


def test_the_rate_is_that_of_the_last_seconds():
    meter = RateMeter(0.0)
    for k in range(1, 1001):  # 10 s at 250 Hz, then 10 s at 500 Hz
        meter.feed(5 if k <= 500 else 10, k * 0.02)
    assert meter.rate_hz(20.0) == pytest.approx(500.0, rel=0.01)


def test_silence_lowers_it():
    meter = RateMeter(0.0)
    for k in range(1, 251):
        meter.feed(5, k * 0.02)
    assert meter.rate_hz(10.0) < 150.0
