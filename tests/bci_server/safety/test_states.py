import pytest

from bci_server.safety.states import FAULTS, safety_state

EVERY = ("disarmed", "armed", "active", "hold", "fault", "stop")


@pytest.mark.parametrize("was", EVERY)
@pytest.mark.parametrize("is_armed", [True, False])
def test_stop_is_the_worst_then_what_latches(was, is_armed):
    assert safety_state(was, "stopped", is_armed) == "stop"
    for reason in (*FAULTS, "failed"):
        assert safety_state(was, reason, is_armed) == "fault"


@pytest.mark.parametrize("was", EVERY)
def test_without_a_lease_it_is_disarmed(was):
    for reason in ("", "disarmed", "stale", "stalled", "starting"):
        assert safety_state(was, reason, False) == "disarmed"


@pytest.mark.parametrize("was", EVERY)
def test_a_command_that_stands_is_active(was):
    assert safety_state(was, "", True) == "active"


@pytest.mark.parametrize("reason", ["stale", "bad_signal", "starting", "low_confidence"])
def test_what_passes_holds_if_something_stood_before(reason):
    now = [safety_state(was, reason, True) for was in EVERY]
    assert now == ["armed", "armed", "hold", "hold", "armed", "armed"]


def test_what_latches_is_named():
    assert {"other_stream", "decoder_failed", "out_of_order", "audit_failed"} == FAULTS
