import math

import pytest

from bci_server.calls import Limit
from bci_server.safety.lease import Lease, LeaseRefused
from bci_server.safety.limits import Bound
from devices.clock import ManualClock

LIMITS = {"vx": 0.2, "vy": 0.3}
BOUNDS = {"vx": Bound(0.2, 2.0), "vy": Bound(0.3, pytest.approx(3.0))}


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
    assert lease.limits() == BOUNDS


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
        ({**LIMITS, "vx": 0.0}, "limit of vx: value"),
        ({**LIMITS, "vx": Limit(1.0, acceleration=math.inf)}, "limit of vx: acceleration"),
        ({**LIMITS, "vx": Limit(1.0, velocity=1.0)}, "limited by value and acceleration"),
        ({**LIMITS, "vx": Limit(1.0, low=0.1)}, "low must not be above 0"),
        ({**LIMITS, "vx": Limit(1.0, low=1.0, high=1.0)}, "low must lie below high"),
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
    assert lease.limits() == BOUNDS
    clock.advance(0.3)
    lease.arm("ben", LIMITS, "running")
    assert lease.limits() == BOUNDS


def test_the_holder_may_arm_again_with_other_limits(lease):
    lease.arm("anna", LIMITS, "running")
    lease.arm("anna", {"vx": 1.0, "vy": 1.0}, "running")
    assert lease.limits() == {"vx": Bound(1.0, 10.0), "vy": Bound(1.0, 10.0)}


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
    assert lease.limits() == BOUNDS


def test_limits_are_kept_as_given(lease):
    lease.arm("anna", {"vx": Limit(1.0, acceleration=4.0, low=-0.5), "vy": 0.5}, "running")
    assert lease.limits() == {"vx": Bound(1.0, 4.0, low=-0.5), "vy": Bound(0.5, 5.0)}


def test_a_position_is_limited_by_velocity_and_acceleration(clock):
    lease = Lease(("x",), 300.0, clock, "position")
    lease.arm("anna", {"x": Limit(1.0, velocity=0.5, acceleration=2.0, low=0.1)}, "running")
    assert lease.limits() == {"x": Bound(1.0, 0.5, bend=2.0, low=0.1)}


def test_nobody_is_given_more_than_the_session_allows_and_who_names_none_gets_that(clock):
    most = {"x": Limit(1.0, acceleration=2.0, low=-1.0, high=1.0), "y": 0.5}
    lease = Lease(("x", "y"), 300.0, clock, most=most)
    lease.arm("anna", None, "running")
    allowed = {"x": Bound(1.0, 2.0, low=-1.0, high=1.0), "y": Bound(0.5, 5.0)}
    assert lease.limits() == allowed
    asked = {"x": Limit(9.0, acceleration=9.0, low=-9.0, high=9.0), "y": 9.0}
    lease.arm("anna", asked, "running")
    assert lease.limits() == allowed
    asked = {"x": Limit(0.5, acceleration=1.0, low=-0.2, high=0.2)}
    lease.arm("anna", asked, "running")
    assert lease.limits() == {"x": Bound(0.5, 1.0, low=-0.2, high=0.2), "y": Bound(0.5, 5.0)}


def test_each_lease_has_a_number_of_its_own_and_no_two_runs_share_one(clock):
    numbers = []
    for _ in range(2):
        lease = Lease(("vx", "vy"), 300.0, clock)
        for _ in range(3):
            lease.arm("anna", LIMITS, "running")
            numbers.append(lease.number)
    assert len(set(numbers)) == 6
    assert numbers[2] == numbers[0] + 2


def test_nobody_in_particular_takes_it_from_whoever_has_it(lease):
    lease.arm("anna", LIMITS, "running")
    lease.disarm("")
    assert lease.limits() is None


def test_clearing_what_was_not_stopped_disarms_too(lease):
    lease.arm("anna", LIMITS, "running")
    lease.clear()
    assert lease.limits() is None
