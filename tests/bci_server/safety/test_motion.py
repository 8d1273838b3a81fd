import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci_server.safety.limits import Bound
from bci_server.safety.motion import at_rest, follow, settle, toward

STEPS = st.lists(st.tuples(st.floats(-9, 9), st.floats(0.0, 0.05)), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("value", "wanted", "most", "got"),
    [(0, 1, 0.25, 0.25), (0, -1, 0.25, -0.25), (0, 0.1, 0.25, 0.1), (2, 2, 0, 2), (1, 2, 1, 2)],
)
def test_toward(value, wanted, most, got):
    assert toward(value, wanted, most) == got


def test_only_velocities_are_known_at_first():
    bounds = (Bound(1.0, 2.0), Bound(1.0, 2.0))
    assert at_rest(bounds, "velocity").values == (0.0, 0.0)
    assert [at_rest(bounds, mode).values for mode in ("position", "grasp", "click")] == [None] * 3
    start = at_rest(bounds, "velocity")
    assert (start.rates, start.places, start.bounds) == ((0.0, 0.0), (0.0, 0.0), bounds)
    assert start.since_click_s == math.inf


def test_a_velocity_keeps_to_value_and_acceleration():
    motion = at_rest((Bound(0.5, 2.0),), "velocity")
    got = []
    for _ in range(4):
        motion = follow(motion, (3.0,), "velocity", 0.1, 0.1)
        got.append(motion.values[0])
    assert got == pytest.approx([0.2, 0.4, 0.5, 0.5])
    assert motion.places == pytest.approx((0.0 + 0.02 + 0.04 + 0.05,))
    motion = follow(motion, (-3.0,), "velocity", 0.1, 0.1)
    assert motion.values == pytest.approx((0.3,))


@settings(deadline=None)
@given(STEPS, st.floats(0.05, 0.2), st.floats(0.5, 20.0), st.floats(0.0, 0.3), st.floats(0.0, 0.3))
def test_a_velocity_never_leads_out_of_the_workspace_even_if_the_last_one_stands_to_its_end(
    steps, ttl_s, slope, low, high
):
    if low + high == 0.0:
        return
    bound = Bound(2.0, slope, low=-low, high=high)
    motion = at_rest((bound,), "velocity")
    for wanted, elapsed_s in steps:
        before = motion
        motion = follow(motion, (wanted,), "velocity", elapsed_s, ttl_s)
        (v,), (was,) = motion.values, before.values
        assert abs(v) <= 2.0
        assert abs(v - was) <= slope * elapsed_s + 1e-9
        stops_at = motion.places[0] + v * ttl_s + math.copysign(v * v / (2 * slope), v)
        assert -low - 1e-6 <= stops_at <= high + 1e-6


def test_a_velocity_may_use_all_of_its_workspace():
    motion = at_rest((Bound(1.0, 10.0, low=-1.0, high=1.0),), "velocity")
    for _ in range(400):
        motion = follow(motion, (1.0,), "velocity", 0.01, 0.1)
    assert motion.places[0] == pytest.approx(1.0, abs=0.02)
    for _ in range(800):
        motion = follow(motion, (-1.0,), "velocity", 0.01, 0.1)
    assert motion.places[0] == pytest.approx(-1.0, abs=0.02)


def test_an_open_side_is_no_limit():
    motion = at_rest((Bound(1.0, 100.0, low=-1.0), Bound(1.0, 100.0, high=1.0)), "velocity")
    for _ in range(100):
        motion = follow(motion, (1.0, -1.0), "velocity", 0.1, 0.1)
    assert motion.values == (1.0, -1.0)


@settings(deadline=None)
@given(STEPS)
def test_a_position_keeps_to_value_workspace_and_velocity(steps):
    motion = replace(at_rest((Bound(2.0, 3.0, low=-0.5, high=1.5),), "position"), values=(0.0,))
    for wanted, elapsed_s in steps:
        (was,) = motion.values
        motion = follow(motion, (wanted,), "position", elapsed_s, 0.1)
        (x,) = motion.values
        assert -0.5 <= x <= 1.5
        assert abs(x - was) <= 3.0 * elapsed_s + 1e-12


def test_the_first_position_is_only_kept_inside():
    motion = at_rest((Bound(2.0, 3.0, low=-0.5, high=1.5), Bound(1.0, 3.0)), "position")
    assert follow(motion, (1.9, -7.0), "position", 0.1, 0.1).values == (1.5, -1.0)
    assert follow(motion, (-1.9, 7.0), "grasp", 0.1, 0.1).values == (-0.5, 1.0)


def test_a_position_comes_to_rest_where_it_was_sent_within_its_acceleration():
    motion = replace(at_rest((Bound(2.0, 1.0, bend=4.0),), "position"), values=(0.0,))
    xs, rates = [0.0], [0.0]
    for _ in range(300):
        motion = follow(motion, (1.0,), "position", 0.01, 0.1)
        xs.append(motion.values[0])
        rates.append(motion.rates[0])
    assert max(rates) == pytest.approx(1.0)
    assert max(xs) <= 1.01
    assert xs[-1] == pytest.approx(1.0, abs=1e-3)
    steps = [abs(b - a) for a, b in pairwise(rates)]
    assert max(steps) <= 4.0 * 0.01 + 1e-9


def test_no_time_passed_moves_no_position():
    motion = replace(at_rest((Bound(2.0, 1.0, bend=4.0),), "position"), values=(0.3,), rates=(0.7,))
    still = follow(motion, (1.0,), "position", 0.0, 0.1)
    assert (still.values, still.rates) == ((0.3,), (0.7,))


def test_clicks_come_no_faster_than_they_may():
    motion = at_rest((Bound(1.0, 2.0),), "click")
    got = []
    for wanted in (1, 1, 0, 1, 0, 1, 1, 0, 1):
        motion = follow(motion, (wanted,), "click", 0.125, 0.1)
        got.append(motion.values[0])
    assert got == [1, 1, 0, 0, 0, 1, 1, 0, 0]


def test_the_slowest_click_sets_the_pace_of_all():
    motion = at_rest((Bound(1.0, 100.0), Bound(0.5, 1.0)), "click")
    motion = follow(motion, (0.0, 3.0), "click", 0.1, 0.1)
    assert motion.values == (0.0, 0.5)
    motion = follow(motion, (0.0, 0.0), "click", 0.1, 0.1)
    assert follow(motion, (1.0, 0.0), "click", 0.8, 0.1).values == (0.0, 0.0)
    assert follow(motion, (1.0, 0.0), "click", 0.9, 0.1).values == (1.0, 0.0)


def test_to_rest_is_the_same_way():
    bounds = (Bound(1.0, 2.0), Bound(1.0, 4.0))
    velocity = replace(at_rest(bounds, "velocity"), values=(0.5, -0.5))
    assert settle(velocity, (0.0, 0.0), "velocity", 0.1).values == pytest.approx((0.3, -0.1))
    grasp = replace(at_rest(bounds, "grasp"), values=(0.9, 0.3))
    opened = settle(grasp, (0.2, 0.2), "grasp", 0.1)
    assert opened.values == pytest.approx((0.7, 0.2))
    assert opened.places == (0.0, 0.0)  # only a velocity leads anywhere
    assert settle(velocity, (0.0, 0.0), "velocity", 0.1).places == pytest.approx((0.05, -0.05))


def test_nothing_to_go_to_is_to_stay():
    bounds = (Bound(1.0, 2.0),)
    held = replace(at_rest(bounds, "position"), values=(0.5,), rates=(1.0,), since_click_s=1.0)
    still = settle(held, (), "position", 0.1)
    assert (still.values, still.rates, still.since_click_s) == ((0.5,), (0.0,), 1.1)
    unknown = at_rest(bounds, "grasp")
    assert settle(unknown, (0.0,), "grasp", 0.1).values is None
