import math

import numpy as np
import pytest

from devices.clock import ManualClock
from devices.pacing import Pacer


class NoClock:
    def now(self) -> float:
        raise AssertionError("the clock was asked")

    def sleep_until(self, time_s: float) -> None:
        raise AssertionError("the clock was slept on")


def test_samples_are_due_at_the_rate():
    pacer = Pacer(ManualClock(100.0), speed=1.0, rate_hz=250.0)
    assert pacer.due(0) == 100.0
    assert pacer.due(250) == 101.0


@pytest.mark.parametrize("speed", [0.5, 1.0, 20.0])
def test_an_hour_takes_an_hour_however_late_each_wait_is(speed):
    clock = ManualClock(1e5)
    pacer = Pacer(clock, speed, rate_hz=250.0)
    n_chunks = 90_000  # of 40 ms
    work_s = np.random.default_rng(0).exponential(0.001 / speed, n_chunks)
    late_s = np.empty(n_chunks)
    for k in range(n_chunks):
        assert pacer.wait_for((k + 1) * 10, timeout_s=1.0)
        late_s[k] = clock.now() - (1e5 + (k + 1) * 0.04 / speed)
        clock.advance(work_s[k])
    assert late_s.min() > -1e-6
    assert late_s.max() < 1e-3
    assert abs(late_s[-1]) < 1e-6


def test_time_starts_with_the_first_wait():
    clock = ManualClock()
    pacer = Pacer(clock, speed=1.0, rate_hz=10.0)
    clock.advance(50.0)
    assert pacer.wait_for(10, timeout_s=2.0)
    assert clock.now() == 51.0


def test_what_is_not_due_in_time_is_said_after_the_timeout():
    clock = ManualClock()
    pacer = Pacer(clock, speed=1.0, rate_hz=10.0)
    assert not pacer.wait_for(10, timeout_s=0.25)
    assert clock.now() == 0.25
    assert pacer.wait_for(10, timeout_s=0.75)
    assert clock.now() == 1.0


def test_what_is_late_is_not_waited_for():
    clock = ManualClock()
    pacer = Pacer(clock, speed=2.0, rate_hz=10.0)
    pacer.wait_for(1, timeout_s=1.0)
    clock.advance(5.0)
    now_s = clock.now()
    assert pacer.wait_for(20, timeout_s=0.0)
    assert clock.now() == now_s


def test_holes_take_as_long_as_they_say():
    clock = ManualClock()
    pacer = Pacer(clock, speed=4.0, rate_hz=250.0)
    assert pacer.wait_until(8.0, timeout_s=10.0)
    assert clock.now() == 2.0


def test_as_fast_as_it_can_never_asks_the_clock():
    pacer = Pacer(NoClock(), speed=math.inf, rate_hz=250.0)
    assert all(pacer.wait_for(n, timeout_s=0.0) for n in range(1000))
    assert pacer.wait_until(1e9, timeout_s=0.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_is_none_is_refused(speed):
    with pytest.raises(ValueError, match="speed must be positive"):
        Pacer(ManualClock(), speed, rate_hz=250.0)
