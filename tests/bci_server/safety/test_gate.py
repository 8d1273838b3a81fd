import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci_server.safety.gate import Shape, Situation, gate
from decoders.output import Command

SHAPE = Shape("velocity", ("vx", "vy"), "m/s")
COMMAND = Command("velocity", ("vx", "vy"), (0.3, -2.0), "m/s", 0.8)
FINE = Situation("running", 20.0, "good", False, {"vx": 0.5, "vy": 1.0})


def through(command=COMMAND, situation=FINE, shape=SHAPE):
    return gate(command, shape, situation, stale_ms=200.0, min_confidence=0.5)


def test_a_command_that_everything_speaks_for_stands_clamped():
    gated = through()
    assert (gated.mode, gated.names, gated.values) == ("velocity", ("vx", "vy"), (0.3, -1.0))
    assert (gated.unit, gated.confidence, gated.armed, gated.reason) == ("m/s", 0.8, True, "")
    assert gated.decoded == (0.3, -2.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stopped": True}, "stopped"),
        ({"state": "idle"}, "starting"),
        ({"state": "starting"}, "starting"),
        ({"state": "stalled"}, "stalled"),
        ({"state": "ended"}, "ended"),
        ({"state": "failed"}, "failed"),
        ({"quality": "bad"}, "bad_signal"),
        ({"age_ms": 200.1}, "stale"),
        ({"age_ms": math.nan}, "stale"),
        ({"limits": None}, "disarmed"),
    ],
)
def test_one_thing_against_it_makes_it_neutral(change, reason):
    gated = through(situation=replace(FINE, **change))
    assert (gated.mode, gated.values, gated.reason) == ("neutral", (0.0, 0.0), reason)
    assert gated.armed == (change.get("limits", 1) is not None)
    assert gated.decoded == (0.3, -2.0)


def test_the_limits_themselves_stand():
    assert through(situation=replace(FINE, age_ms=200.0, quality="degraded")).reason == ""
    assert through(replace(COMMAND, confidence=0.5)).reason == ""


@pytest.mark.parametrize("confidence", [0.49, math.nan])
def test_low_confidence_is_neutral(confidence):
    assert through(replace(COMMAND, confidence=confidence)).reason == "low_confidence"


@pytest.mark.parametrize(
    "command",
    [
        replace(COMMAND, values=(math.nan, 0.0)),
        replace(COMMAND, values=(math.inf, 0.0)),
        replace(COMMAND, values=(1.0,)),
        replace(COMMAND, names=("vx", "vz")),
        replace(COMMAND, unit="mm/s"),
        replace(COMMAND, mode="position"),
    ],
)
def test_a_command_that_does_not_look_as_agreed_is_the_decoders_fault(command):
    gated = through(command)
    assert (gated.mode, gated.reason) == ("neutral", "decoder_failed")


def test_nothing_said_yet_is_neutral():
    gated = through(None)
    assert (gated.mode, gated.values, gated.reason) == ("neutral", (0.0, 0.0), "starting")
    assert (gated.confidence, gated.decoded) == (0.0, ())


def test_a_decoder_may_say_neutral_itself():
    gated = through(Command("neutral", (), (), "m/s", 0.9))
    assert (gated.mode, gated.reason, gated.armed) == ("neutral", "", True)


def test_neutral_positions_have_no_values_since_zero_is_a_place():
    shape = Shape("position", ("x",), "m")
    gated = through(Command("position", ("x",), (0.2,), "m"), replace(FINE, limits=None), shape)
    assert (gated.mode, gated.names, gated.values) == ("neutral", (), ())


def test_the_worst_reason_wins():
    worst = Situation("stalled", math.inf, "bad", True, None)
    order = ["stopped", "stalled", "bad_signal", "stale", "disarmed"]
    got = [through(situation=worst).reason]
    for change in ({"stopped": False}, {"state": "running"}, {"quality": "good"}, {"age_ms": 0.0}):
        worst = replace(worst, **change)
        got.append(through(situation=worst).reason)
    assert got == order


@given(
    st.tuples(st.floats(), st.floats()),
    st.floats(),
    st.sampled_from(["idle", "starting", "running", "stalled", "ended", "failed"]),
    st.floats(),
    st.sampled_from(["good", "degraded", "bad"]),
    st.booleans(),
    st.none() | st.just({"vx": 0.5, "vy": 1.0}),
)
def test_nothing_moves_beyond_the_limits_or_unarmed(
    values, confidence, state, age_ms, quality, stopped, limits
):
    command = Command("velocity", ("vx", "vy"), values, "m/s", confidence)
    gated = through(command, Situation(state, age_ms, quality, stopped, limits))
    if limits is None or state != "running" or stopped or quality == "bad":
        assert gated.values == (0.0, 0.0)
    assert abs(gated.values[0]) <= 0.5
    assert abs(gated.values[1]) <= 1.0
