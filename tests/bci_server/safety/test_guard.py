import pytest

from bci_server.calls import Limit
from bci_server.control import ArmLease, ClearStop, DisarmLease, RenewLease, StopNow
from bci_server.safety.gate import Shape
from bci_server.safety.guard import Guard
from bci_server.safety.limits import Safety
from bci_server.wire import DecoderName, Ledger
from decoders.output import Command
from devices.clock import ManualClock

SHAPE = Shape("velocity", ("vx",), "m/s")
DECODER = DecoderName("mean", "1", "abc")
ANNA = ArmLease(holder="anna", limits={"vx": Limit(0.5, acceleration=2.0)})


class Kept:
    """An audit that keeps what it is told, and fails when it is told to."""

    def __init__(self):
        self.kept = []
        self.failure = ""

    def note(self, transition):
        self.kept.append(transition)

    @property
    def path(self):
        return [(t.was, t.state, t.reason) for t in self.kept]


class Bench:
    """A guard whose decoder speaks every 20 ms."""

    def __init__(self, shape=SHAPE, **rules):
        self.clock = ManualClock(100.0)
        self.audit = Kept()
        self.guard = Guard(shape, Safety(**rules), DECODER, self.clock, self.audit)
        self.sample = 0

    def ask(self, control, state="running"):
        return self.guard.control(control, state)

    def say(self, value=1.0, state="running", quality="good", age_ms=1.0, same=True, **command):
        self.clock.advance(0.02)
        self.sample += 5
        said = None
        if value is not None:
            said = Command("velocity", ("vx",), (value,), "m/s", **command)
        ledger = Ledger(self.clock.now(), self.clock.now(), self.clock.now())
        return self.guard.message(said, state, quality, age_ms, self.sample, ledger, same)


@pytest.fixture
def bench():
    return Bench()


def test_it_is_disarmed_at_first(bench):
    message = bench.say()
    assert (message.mode, message.safety, message.lease, message.slopes) == (
        "neutral",
        "disarmed",
        0,
        (),
    )
    assert bench.audit.path == []


def test_armed_it_moves_within_its_limits_and_says_on_which_lease(bench):
    answer = bench.ask(ANNA)
    first, second = bench.say(), bench.say()
    assert [m.values[0] for m in (first, second)] == pytest.approx([0.04, 0.08])
    assert (first.safety, first.armed, first.lease) == ("active", True, answer.lease)
    assert (first.rest, first.slopes) == ((0.0,), (2.0,))
    assert first.ledger.decoded_s == bench.clock.now() - 0.02
    assert bench.audit.path == [("disarmed", "armed", "asked to arm"), ("armed", "active", "")]
    assert bench.audit.kept[0].limits == {"vx": {"value": 0.5, "slope": 2.0}}
    assert bench.audit.kept[0].who == "anna"


def test_a_moment_that_speaks_against_it_holds_and_it_goes_on_by_itself(bench):
    bench.ask(ANNA)
    states = [bench.say().safety, bench.say(quality="bad").safety, bench.say().safety]
    assert states == ["active", "hold", "active"]
    assert bench.audit.path[-2:] == [("active", "hold", "bad_signal"), ("hold", "active", "")]


def test_before_anything_stood_it_is_armed_not_held(bench):
    bench.ask(ANNA)
    assert bench.say(None).safety == "armed"


def test_a_long_hold_disarms():
    bench = Bench(hold_ms=90.0, lease_ms=10_000.0)
    bench.ask(ANNA)
    states = [bench.say().safety] + [bench.say(age_ms=999.0).safety for _ in range(7)]
    assert states == ["active", *["hold"] * 5, "disarmed", "disarmed"]
    assert bench.say().safety == "disarmed"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"value": float("nan")}, "decoder_failed"),
        ({"same": False}, "other_stream"),
    ],
)
def test_a_fault_latches_and_only_clear_leads_out_of_it_to_disarmed(bench, what, reason):
    bench.ask(ANNA)
    bench.say()
    fault = bench.say(**what)
    assert (fault.mode, fault.safety, fault.reason) == ("neutral", "fault", reason)
    assert (fault.armed, fault.lease) == (False, 0)
    assert bench.say().reason == reason
    assert bench.guard.alarms == (reason,)
    refused = bench.ask(ANNA)
    assert (refused.ok, reason in refused.error, "clear" in refused.fix) == (False, True, True)
    assert bench.ask(ClearStop(holder="ben")).ok
    assert bench.say().safety == "disarmed"
    assert bench.audit.path[-2:] == [
        ("active", "fault", reason),
        ("fault", "disarmed", "cleared"),
    ]
    assert bench.ask(ANNA).ok


def test_a_sample_that_was_decoded_before_is_a_fault(bench):
    bench.ask(ANNA)
    bench.say()
    bench.sample -= 5
    assert bench.say().reason == "out_of_order"


def test_stop_latches_is_noted_at_once_and_brakes():
    bench = Bench(lease_ms=10_000.0)
    bench.ask(ANNA)
    for _ in range(20):
        bench.say()
    assert bench.ask(StopNow(holder="ben")).lease_ms is None
    stopped = [bench.say() for _ in range(3)]
    assert [m.values[0] for m in stopped] == pytest.approx([0.46, 0.42, 0.38])
    assert {m.safety for m in stopped} == {"stop"}
    assert bench.guard.is_braking
    assert bench.guard.alarms == ("stopped",)
    assert bench.audit.kept[-1].who == "ben"
    assert not bench.ask(ANNA).ok
    bench.ask(ClearStop(holder="anna"))
    after = [bench.say() for _ in range(12)]
    assert {m.safety for m in after} == {"disarmed"}
    assert after[-1].values == (0.0,)
    assert not bench.guard.is_braking


def test_who_holds_it_renews_and_gives_back(bench):
    number = bench.ask(ANNA).lease
    bench.say()
    assert bench.ask(RenewLease(holder="anna")).lease == number
    assert bench.ask(DisarmLease(holder="anna")).lease is None
    assert (bench.say().safety, bench.say().reason) == ("disarmed", "disarmed")
    assert not bench.ask(RenewLease(holder="anna")).ok


def test_a_new_lease_goes_on_from_where_the_effector_is(bench):
    bench.ask(ANNA)
    for _ in range(10):
        bench.say()
    bench.ask(ArmLease(holder="anna", limits={"vx": Limit(0.5, acceleration=1.0)}))
    assert bench.say().values == pytest.approx((0.42,))


def test_commands_come_no_faster_than_they_may():
    bench = Bench(max_rate_hz=10.0)
    bench.ask(ANNA)
    bench.ask(RenewLease(holder="anna"))
    reasons = [bench.say().reason for _ in range(12)]
    assert reasons[:5] == [""] * 5
    assert "too_fast" in reasons
    assert bench.guard.state == "hold"


def test_what_cannot_be_audited_does_not_move(bench):
    bench.ask(ANNA)
    bench.say()
    bench.audit.failure = "no space left"
    assert bench.say().reason == "audit_failed"
    bench.audit.failure = "no space left still"
    bench.ask(ClearStop(holder="anna"))
    refused = bench.ask(ANNA)
    assert "no space left still" in refused.error


def test_an_armed_session_whose_stream_stalls_says_so(bench):
    bench.ask(ANNA)
    bench.say()
    bench.guard.disarm()
    stalled = bench.say(None, state="stalled")
    assert (stalled.reason, stalled.safety) == ("stalled", "disarmed")


def test_a_session_without_commands_says_none():
    bench = Bench(shape=None)
    assert bench.say() is None
    assert not bench.ask(ANNA).ok
    assert not bench.guard.is_braking
