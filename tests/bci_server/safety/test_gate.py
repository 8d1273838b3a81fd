import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci_server.safety.gate import Shape, Situation, gate, rest_of
from bci_server.safety.limits import Bound, Safety
from bci_server.safety.motion import Motion, at_rest
from decoders.output import Command

SHAPE = Shape("velocity", ("vx", "vy"), "m/s")
COMMAND = Command("velocity", ("vx", "vy"), (0.3, -2.0), "m/s", 0.8)
BOUNDS = {"vx": Bound(0.5, 5.0), "vy": Bound(1.0, 100.0)}
RULES = Safety(stale_ms=200.0, min_confidence=0.5, ttl_ms=250.0)


def armed(mode="velocity", bounds=BOUNDS, **fields):
    motion = at_rest(tuple(bounds.values()), mode)
    defaults = {"state": "running", "age_ms": 20.0, "limits": bounds, "elapsed_s": 0.1}
    return Situation(**{**defaults, "motion": motion, **fields})


FINE = armed()


def through(command=COMMAND, situation=FINE, shape=SHAPE, rules=RULES):
    return gate(command, shape, situation, rules)


def test_a_command_that_everything_speaks_for_stands_within_its_limits():
    gated = through()
    assert (gated.mode, gated.names, gated.values) == ("velocity", ("vx", "vy"), (0.3, -1.0))
    assert (gated.unit, gated.confidence, gated.armed, gated.reason) == ("m/s", 0.8, True, "")
    assert gated.decoded == (0.3, -2.0)
    assert gated.rest == (0.0, 0.0)
    assert not gated.is_fault
    assert gated.motion.values == gated.values


@pytest.mark.parametrize(
    ("change", "reason", "latches"),
    [
        ({"stopped": True}, "stopped", False),
        ({"fault": "out_of_order"}, "out_of_order", True),
        ({"is_same_stream": False}, "other_stream", True),
        ({"sample": 7, "last_sample": 7}, "out_of_order", True),
        ({"sample": 6, "last_sample": 7}, "out_of_order", True),
        ({"state": "idle"}, "starting", False),
        ({"state": "starting"}, "starting", False),
        ({"state": "stalled"}, "stalled", False),
        ({"state": "ended"}, "ended", False),
        ({"state": "failed"}, "failed", False),
        ({"quality": "bad"}, "bad_signal", False),
        ({"age_ms": 200.1}, "stale", False),
        ({"age_ms": -50.1}, "stale", False),
        ({"age_ms": math.nan}, "stale", False),
        ({"limits": None}, "disarmed", False),
        ({"allowance": 0.99}, "too_fast", False),
        ({"allowance": math.nan}, "too_fast", False),
    ],
)
def test_one_thing_against_it_makes_it_neutral(change, reason, latches):
    gated = through(situation=replace(FINE, **change))
    assert (gated.mode, gated.values, gated.reason) == ("neutral", (0.0, 0.0), reason)
    assert gated.armed == (change.get("limits", 1) is not None)
    assert gated.is_fault == latches
    assert gated.decoded == (0.3, -2.0)
    assert gated.unit == "m/s"


def test_what_just_suffices_stands():
    for change in (
        {"age_ms": 200.0},
        {"age_ms": -50.0},
        {"quality": "degraded"},
        {"allowance": 1.0},
        {"sample": 8, "last_sample": 7},
    ):
        assert through(situation=replace(FINE, **change)).reason == ""
    assert through(replace(COMMAND, confidence=0.5)).reason == ""


@pytest.mark.parametrize("confidence", [0.49, math.nan])
def test_low_confidence_is_neutral(confidence):
    gated = through(replace(COMMAND, confidence=confidence))
    assert (gated.mode, gated.reason, gated.is_fault) == ("neutral", "low_confidence", False)


@pytest.mark.parametrize(
    "command",
    [
        replace(COMMAND, values=(math.nan, 0.0)),
        replace(COMMAND, values=(0.0, math.inf)),
        replace(COMMAND, values=(1.0,)),
        replace(COMMAND, names=("vx", "vz")),
        replace(COMMAND, unit="mm/s"),
        replace(COMMAND, mode="position"),
    ],
)
def test_a_command_that_does_not_look_as_agreed_is_the_decoders_fault(command):
    gated = through(command)
    assert (gated.mode, gated.values) == ("neutral", (0.0, 0.0))
    assert (gated.reason, gated.is_fault) == ("decoder_failed", True)


def test_nothing_said_yet_is_neutral():
    gated = through(None, replace(FINE, sample=3, last_sample=3))
    assert (gated.mode, gated.values, gated.reason) == ("neutral", (0.0, 0.0), "starting")
    assert (gated.confidence, gated.decoded) == (0.0, ())


def test_a_decoder_may_say_neutral_itself():
    gated = through(Command("neutral", (), (), "", 0.9))
    assert (gated.mode, gated.values, gated.reason, gated.armed) == (
        "neutral",
        (0.0, 0.0),
        "",
        True,
    )


def test_a_command_without_a_motion_to_follow_is_neutral():
    gated = through(situation=replace(FINE, motion=None))
    assert (gated.mode, gated.values, gated.motion) == ("neutral", (0.0, 0.0), None)


def moving(values, mode="velocity", bounds=BOUNDS):
    return replace(at_rest(tuple(bounds.values()), mode), values=values)


def test_a_neutral_velocity_brakes_within_its_acceleration():
    gated = through(
        situation=replace(FINE, motion=moving((0.5, -1.0)), limits=None, elapsed_s=0.02)
    )
    assert gated.values == pytest.approx((0.4, 0.0))
    assert gated.names == ("vx", "vy")
    again = through(situation=replace(FINE, motion=gated.motion, stopped=True, elapsed_s=0.02))
    assert again.values == pytest.approx((0.3, 0.0))


def test_after_more_than_a_commands_life_the_effector_has_braked():
    late = replace(FINE, motion=moving((0.5, 0.0)), elapsed_s=0.25 + 0.06)
    gated = through(replace(COMMAND, values=(0.5, 0.0)), late, rules=replace(RULES, ttl_ms=250.0))
    assert gated.values == pytest.approx((0.5, 0.0))  # 0.2 left, and 0.25 s to gain 1.25
    gated = through(replace(COMMAND, values=(0.5, 0.0)), replace(late, elapsed_s=0.01 + 0.06),
                    rules=replace(RULES, ttl_ms=10.0))  # fmt: skip
    assert gated.values == pytest.approx((0.25, 0.0))


POSITION = Shape("position", ("x",), "m")
GRASP = Shape("grasp", ("grip",), "1")
AT = {"x": Bound(1.0, 0.5)}


def test_within_a_commands_life_to_its_last_moment_a_position_keeps_its_speed():
    bent = {"x": Bound(1.0, 0.5, bend=1.0)}
    on_its_way = replace(moving((0.2,), "position", bent), rates=(0.4,))
    late = armed("position", bent, motion=on_its_way, elapsed_s=0.25)
    gated = through(Command("position", ("x",), (0.9,), "m"), late, POSITION)
    assert gated.motion.rates == pytest.approx((0.5,))  # 0.25 if it had stood


def test_what_a_display_cannot_show_is_not_shown():
    gated = through(replace(COMMAND, values=(math.nan, 0.3), confidence=math.inf))
    assert (gated.decoded, gated.confidence) == ((), 0.0)
    assert through(None).confidence == 0.0


def test_a_neutral_position_has_no_values_since_zero_is_a_place():
    held = moving((0.2,), "position", AT)
    situation = armed("position", AT, motion=held, limits=None)
    gated = through(Command("position", ("x",), (0.2,), "m"), situation, POSITION)
    assert (gated.mode, gated.names, gated.values, gated.rest) == ("neutral", (), (), ())
    assert gated.motion.values == (0.2,)


def test_a_position_keeps_to_its_velocity():
    situation = armed("position", AT, motion=moving((0.2,), "position", AT))
    gated = through(Command("position", ("x",), (0.9,), "m"), situation, POSITION)
    assert gated.values == pytest.approx((0.25,))


def test_the_first_position_is_the_effectors_to_reach():
    gated = through(Command("position", ("x",), (3.0,), "m"), armed("position", AT), POSITION)
    assert gated.values == (1.0,)


@pytest.mark.parametrize(
    ("neutral", "before", "values", "rest"),
    [
        ("hold", (0.8,), (), ()),
        ("open", (0.8,), (0.75,), (0.1,)),
        ("open", (0.1,), (0.1,), (0.1,)),
        ("open", None, (), (0.1,)),
    ],
)
def test_a_neutral_grasp_holds_or_opens_but_moves_nothing_that_it_never_moved(
    neutral, before, values, rest
):
    rules = replace(RULES, neutral=neutral, open_value=0.1)
    situation = armed("grasp", AT, motion=moving(before, "grasp", AT), limits=None)
    gated = through(Command("grasp", ("grip",), (0.8,), "1"), situation, GRASP, rules)
    assert (gated.mode, gated.values) == ("neutral", pytest.approx(values))
    assert gated.names == (("grip",) if values else ())
    assert gated.rest == rest


def test_only_a_grasp_opens_and_only_a_velocity_goes_to_zero():
    rules = replace(RULES, neutral="open", open_value=0.1)
    shapes = [Shape(mode, ("a",), "1") for mode in ("velocity", "position", "grasp", "click")]
    assert [rest_of(shape, rules) for shape in shapes] == [(0.0,), (), (0.1,), ()]


def test_the_worst_reason_wins():
    worst = replace(
        FINE,
        state="stalled",
        age_ms=math.inf,
        quality="bad",
        stopped=True,
        fault="audit_failed",
        is_same_stream=False,
        sample=1,
        last_sample=1,
        limits=None,
        allowance=0.0,
    )
    command = replace(COMMAND, confidence=0.0, unit="?")
    better = [
        ({"stopped": False}, None),
        ({"fault": ""}, None),
        ({"is_same_stream": True}, None),
        ({}, replace(command, unit="m/s")),
        ({"last_sample": 0}, None),
        ({"state": "running"}, None),
        ({"quality": "good"}, None),
        ({"age_ms": 0.0}, None),
        ({"limits": BOUNDS}, None),
        ({"allowance": 1.0}, None),
        ({}, COMMAND),
    ]
    got = [through(command, worst).reason]
    for change, other in better:
        worst, command = replace(worst, **change), other or command
        got.append(through(command, worst).reason)
    assert got == [
        "stopped",
        "audit_failed",
        "other_stream",
        "decoder_failed",
        "out_of_order",
        "stalled",
        "bad_signal",
        "stale",
        "disarmed",
        "too_fast",
        "low_confidence",
        "",
    ]


@settings(deadline=None)
@given(
    st.tuples(st.floats(), st.floats()),
    st.floats(),
    st.sampled_from(["idle", "starting", "running", "stalled", "ended", "failed"]),
    st.floats(),
    st.sampled_from(["good", "degraded", "bad"]),
    st.booleans(),
    st.none() | st.just(BOUNDS),
    st.tuples(st.floats(-0.5, 0.5), st.floats(-1.0, 1.0)),
    st.floats(0.0, 10.0),
)
def test_nothing_moves_beyond_the_limits_faster_than_they_allow_or_unarmed(
    values, confidence, state, age_ms, quality, stopped, limits, before, elapsed_s
):
    motion = Motion(before, (0.0, 0.0), (0.0, 0.0), math.inf, tuple(BOUNDS.values()))
    situation = replace(
        FINE, state=state, age_ms=age_ms, quality=quality, stopped=stopped, limits=limits,
        motion=motion, elapsed_s=elapsed_s,
    )  # fmt: skip
    gated = through(Command("velocity", ("vx", "vy"), values, "m/s", confidence), situation)
    for now, was, bound in zip(gated.values, before, BOUNDS.values(), strict=True):
        assert abs(now) <= bound.largest
        assert abs(now - was) <= bound.slope * elapsed_s + 1e-12
        if limits is None or state != "running" or stopped or quality == "bad":
            assert abs(now) == pytest.approx(max(0.0, abs(was) - bound.slope * elapsed_s))


def test_what_is_not_said_speaks_neither_for_a_command_nor_against_it():
    assert Situation(state="running", age_ms=1.0) == Situation(
        state="running",
        age_ms=1.0,
        quality="good",
        stopped=False,
        fault="",
        limits=None,
        is_same_stream=True,
        sample=0,
        last_sample=-1,
        allowance=math.inf,
        motion=None,
        elapsed_s=0.0,
    )
