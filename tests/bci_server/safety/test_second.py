"""The web process's layer: nothing stale, nothing of a lease that is not trusted any more."""

import pytest

from bci_server.safety.second import SecondGate
from bci_server.wire import CommandMessage, Ledger

SLOPE = 2.0


def command(now_s=0.0, value=0.5, lease=7, **fields):
    defaults = {
        "mode": "velocity",
        "names": ("x",),
        "values": (value,),
        "unit": "m/s",
        "confidence": 1.0,
        "ttl_ms": 100.0,
        "armed": lease > 0,
        "safety": "active",
        "rest": (0.0,),
        "slopes": (SLOPE,),
    }
    ledger = Ledger(now_s - 0.002, now_s - 0.001, now_s)
    return CommandMessage(
        topic="commands", sample=1, ledger=ledger, lease=lease, **{**defaults, **fields}
    )


def neutral(now_s=0.0, value=0.0, **fields):
    return command(now_s, value, 0, mode="neutral", safety="disarmed", **fields)


@pytest.fixture
def gate():
    return SecondGate()


def test_what_the_engine_says_passes_as_it_is(gate):
    engines = (command(0.0, 0.0), command(0.01), neutral(0.02, 0.49), neutral(0.03, 0.48))
    for message in engines:
        assert gate.take(message, message.ledger.decoded_s) is message
    message = command(0.04)
    assert gate.take(message, 0.05) is message


def test_the_very_first_lease_counts(gate):
    message = command(0.0, lease=1)
    assert gate.take(message, 0.0) is message
    gate.begin()
    assert gate.take(message, 0.01) is message


def test_a_stop_before_anybody_was_armed_withholds_no_later_lease(gate):
    gate.close("stopped")
    gate.take(neutral(0.0), 0.0)
    assert gate.take(command(0.01, lease=1), 0.01).mode == "velocity"


def test_a_command_stands_until_its_ttl_is_over_and_no_longer(gate):
    message = command(0.0)
    assert gate.take(message, 0.1) is message
    assert gate.take(message, 0.1001).reason == "stale"


def test_an_old_command_that_is_the_first_moves_nobody(gate):
    old = gate.take(command(0.0), 0.3)
    assert (old.mode, old.reason, old.values) == ("neutral", "stale", (0.0,))


def test_an_old_command_says_nothing_of_where_effectors_are(gate):
    gate.take(command(0.0, 0.5), 0.0)
    assert gate.take(command(0.01, 0.1), 0.1101).values == (pytest.approx(0.2798),)


def test_when_another_is_armed_the_lease_of_before_is_withheld_and_said_why(gate):
    gate.take(command(0.0), 0.0)
    gate.given(8)
    late = gate.take(command(0.01), 0.01)
    assert (late.mode, late.reason) == ("neutral", "disarmed")


def test_before_the_engine_ever_spoke_nobody_is_told(gate):
    assert gate.neutral("engine_lost", "bad", 1.0) is None
    assert not gate.is_braking


def test_an_engine_that_is_lost_brakes_within_the_acceleration(gate):
    gate.take(command(0.0), 0.0)
    told = [gate.neutral("engine_lost", "bad", 0.1 + 0.02 * i) for i in range(4)]
    assert [m.values[0] for m in told] == pytest.approx([0.3, 0.26, 0.22, 0.18])
    assert all((m.mode, m.armed, m.lease, m.reason) == ("neutral", False, 0, "engine_lost")
               for m in told)  # fmt: skip
    assert all(m.decoded == () and m.quality == "bad" and m.ttl_ms == 100.0 for m in told)
    assert all(m.safety == "disarmed" for m in told)
    assert gate.is_braking
    assert gate.neutral("engine_lost", "bad", 1.0).values == (0.0,)
    assert not gate.is_braking


def test_commands_that_are_old_when_they_come_are_neutral(gate):
    gate.take(command(0.0), 0.0)
    old = gate.take(command(0.01), 0.1101)
    assert (old.mode, old.reason, old.armed, old.lease) == ("neutral", "stale", True, 7)
    assert (old.safety, old.confidence) == ("hold", 0.0)
    eased = gate.take(command(0.11), 0.12)  # the engine does not know that effectors braked
    assert (eased.mode, eased.values) == ("velocity", pytest.approx((0.2798 + 0.0198,)))
    for _ in range(20):
        now_s = gate._last_s + 0.01
        eased = gate.take(command(now_s), now_s)
    assert eased.values == (0.5,)
    assert gate.take(command(now_s + 0.01, 0.1), now_s + 0.01).values == (0.1,)


def test_after_a_stop_nothing_of_the_engines_moves_until_it_has_disarmed(gate):
    gate.take(command(0.0), 0.0)
    gate.close("stopped")
    assert gate.neutral("stopped", "good", 0.001).safety == "stop"
    gate.given(8)  # it armed somebody before it heard of the stop
    for lease in (7, 8):
        late = gate.take(command(0.002, lease=lease), 0.002)
        assert (late.mode, late.reason) == ("neutral", "stopped")
    assert gate.take(neutral(0.01, 0.4), 0.01).mode == "neutral"
    assert gate.take(command(0.02, lease=8), 0.02).mode == "neutral"
    assert gate.take(command(0.03, lease=9), 0.03).mode == "velocity"


def test_an_engine_that_was_lost_moves_again_only_on_a_new_lease(gate):
    gate.take(command(0.0), 0.0)
    gate.close("engine_lost")
    assert gate.take(command(0.01), 0.01).reason == "engine_lost"
    gate.given(8)
    assert gate.take(command(0.02), 0.02).mode == "neutral"
    assert gate.take(command(0.03, lease=8), 0.03).mode == "velocity"


def test_another_engine_has_leases_of_its_own(gate):
    gate.take(command(0.0, lease=900), 0.0)
    gate.close("engine_lost")
    gate.begin()
    assert gate.take(command(1.0, lease=3), 1.0).mode == "velocity"


def test_who_brakes_is_led_neither_away_again_nor_stopped_at_once(gate):
    gate.take(command(0.0), 0.0)
    gate.neutral("stopped", "good", 0.05)  # 0.4
    assert gate.take(neutral(0.06, 0.45), 0.06).values == pytest.approx((0.4,))
    eased = gate.take(neutral(0.1, 0.0, rest=(), slopes=(), names=(), values=()), 0.1)
    assert eased.values == pytest.approx((0.32,))
    assert (eased.names, eased.rest, eased.slopes) == (("x",), (0.0,), (SLOPE,))
    assert gate.take(neutral(2.0, 0.0), 2.0).values == (0.0,)
    assert gate.take(neutral(2.01, 0.3), 2.01).values == (0.0,)  # said long ago


def test_who_was_braked_more_gently_than_the_engine_said_goes_on_from_there(gate):
    gate.take(command(0.0), 0.0)
    assert gate.take(neutral(0.01, 0.0), 0.01).values == (pytest.approx(0.48),)
    assert gate.take(command(0.02, 0.9), 0.02).values == (pytest.approx(0.5),)


def test_a_velocity_of_which_no_more_is_known_stops_and_a_position_stays(gate):
    gate.take(command(0.0, rest=(), slopes=()), 0.0)
    assert gate.neutral("engine_lost", "bad", 0.01).values == (0.0,)
    assert not gate.is_braking
    gate.take(neutral(0.0, 0.3, rest=(), slopes=()), 0.0)
    assert gate.neutral("engine_lost", "bad", 0.01).values == (0.0,)
    gate.take(command(0.0, slopes=()), 0.0)
    assert gate.neutral("engine_lost", "bad", 0.01).values == (0.0,)
    gate.take(command(0.0, mode="position", rest=()), 0.0)
    held = gate.neutral("engine_lost", "bad", 0.01)
    assert (held.names, held.values) == ((), ())
    assert not gate.is_braking


def test_a_grasp_opens_only_if_it_ever_was_told_something(gate):
    gate.take(neutral(0.0, names=(), values=(), rest=(0.1,)), 0.0)
    assert gate.neutral("engine_lost", "bad", 0.1).values == ()
    gate.take(command(0.2, 0.5, mode="grasp", rest=(0.1,)), 0.2)
    assert gate.neutral("engine_lost", "bad", 0.3).values == pytest.approx((0.3,))
    assert gate.is_braking


def test_other_commands_than_those_of_before_go_on_as_they_are(gate):
    gate.take(command(0.0), 0.0)
    gate.neutral("engine_lost", "bad", 0.01)
    other = command(0.02, names=("y",))
    assert gate.take(other, 0.02) is other
    gate.neutral("engine_lost", "bad", 0.03)
    unlimited = command(0.04, slopes=(), names=("y",))
    assert gate.take(unlimited, 0.04) is unlimited
