import math

import pytest

from bci_server.safety.lease import Lease, LeaseRefused
from devices.clock import ManualClock

LIMITS = {"vx": 0.2, "vy": 0.3}


@pytest.fixture
def clock():
    return ManualClock(100.0)


@pytest.fixture
def lease(clock):
    return Lease(("vx", "vy"), 300.0, clock)


def test_nobody_is_armed_at_first(lease):
    assert lease.limits() is None


def test_arming_gives_the_limits(lease):
    lease.arm("anna", LIMITS, "running")
    assert lease.limits() == LIMITS


def test_a_lease_ends_unless_it_is_renewed(lease, clock):
    lease.arm("anna", LIMITS, "running")
    for _ in range(5):
        clock.advance(0.299)
        lease.renew("anna")
    clock.advance(0.3)
    assert lease.limits() is None
    with pytest.raises(LeaseRefused, match="arm again"):
        lease.renew("anna")


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        (None, "no limit for vx, vy"),
        ({"vx": 0.2}, "no limit for vy"),
        ({**LIMITS, "vz": 1.0}, "no command vz"),
        ({**LIMITS, "vx": math.nan}, "limit of vx"),
        ({**LIMITS, "vx": math.inf}, "limit of vx"),
        ({**LIMITS, "vx": 0.0}, "limit of vx"),
    ],
)
def test_limits_must_be_whole_and_sensible(lease, limits, match):
    with pytest.raises(LeaseRefused, match=match):
        lease.arm("anna", limits, "running")
    assert lease.limits() is None


@pytest.mark.parametrize("state", ["idle", "starting", "stalled", "ended", "failed"])
def test_only_a_running_session_is_armed(lease, state):
    with pytest.raises(LeaseRefused, match=state):
        lease.arm("anna", LIMITS, state)


def test_a_session_without_commands_is_not_armed(clock):
    with pytest.raises(LeaseRefused, match="no commands"):
        Lease((), 300.0, clock).arm("anna", {}, "running")


def test_one_holder_at_a_time(lease, clock):
    lease.arm("anna", LIMITS, "running")
    with pytest.raises(LeaseRefused, match="another client"):
        lease.arm("ben", LIMITS, "running")
    with pytest.raises(LeaseRefused):
        lease.renew("ben")
    lease.disarm("ben")
    assert lease.limits() == LIMITS
    clock.advance(0.3)
    lease.arm("ben", LIMITS, "running")
    assert lease.limits() == LIMITS


def test_the_holder_may_arm_again_with_other_limits(lease):
    lease.arm("anna", LIMITS, "running")
    lease.arm("anna", {"vx": 1.0, "vy": 1.0}, "running")
    assert lease.limits() == {"vx": 1.0, "vy": 1.0}


@pytest.mark.parametrize("how", [lambda lease: lease.disarm("anna"), lambda lease: lease.drop()])
def test_a_lease_is_given_back_or_taken(lease, how):
    lease.arm("anna", LIMITS, "running")
    how(lease)
    assert lease.limits() is None


def test_stop_latches_and_clear_arms_nothing(lease):
    lease.arm("anna", LIMITS, "running")
    lease.stop()
    assert lease.stopped
    assert lease.limits() is None
    with pytest.raises(LeaseRefused, match="clear"):
        lease.arm("anna", LIMITS, "running")
    lease.clear()
    assert not lease.stopped
    assert lease.limits() is None
    lease.arm("anna", LIMITS, "running")
    assert lease.limits() == LIMITS
