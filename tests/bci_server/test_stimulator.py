"""Stimulation over LSL, as the loop asks for it."""

import json

import pylsl
import pytest

from bci_server.control import ArmLease, DisarmLease, GiveStimulus, StopNow
from bci_server.safety.audit import AuditLog, Unaudited
from bci_server.safety.audit_check import check_audit
from bci_server.safety.lease import Lease
from bci_server.safety.stimulation import Stimulation
from bci_server.stimulator import CHANNELS, Stimulator
from devices.clock import ManualClock
from tests.bci_server.test_loop import ARM, Bench, steady

LIMITS = Stimulation(("S1", "S2"), 80.0, 400.0, 300.0, 16.0, 800.0)
FEEL = GiveStimulus(
    call=5,
    holder="anna",
    electrode="S2",
    amplitude_ua=40.0,
    pulse_width_us=200.0,
    rate_hz=50.0,
    duration_s=0.5,
)


@pytest.fixture
def listened(lsl):
    """A stimulator, its lease and clock, and what a driver of the hardware would receive."""
    clock = ManualClock(pylsl.local_clock())
    lease = Lease(("vx",), 300.0, clock)
    stimulator = Stimulator("demo", LIMITS, lease, clock)
    (info,) = pylsl.resolve_byprop("source_id", "bci-server:demo:stimulation", timeout=10.0)
    inlet = pylsl.StreamInlet(info)
    inlet.open_stream(timeout=10.0)
    stimulator._outlet.wait_for_consumers(10.0)
    yield stimulator, lease, inlet
    inlet.close_stream()


def test_an_order_reaches_the_driver_and_ends_with_zeros(listened):
    stimulator, lease, inlet = listened
    channel = inlet.info(10.0).desc().child("channels").child("channel")
    names = [channel.child_value("label")]
    while len(names) < len(CHANNELS):
        channel = channel.next_sibling()
        names.append(channel.child_value("label"))
    assert names == [name for name, _ in CHANNELS]
    lease.arm("anna", {"vx": 1.0}, "running")
    assert stimulator.give(FEEL).ok
    assert inlet.pull_sample(timeout=10.0)[0] == [1.0, 40.0, 200.0, 50.0, 0.5]
    stimulator.stop()
    stimulator.stop()  # nothing runs any more, so nothing is said
    assert stimulator.give(FEEL).ok
    assert inlet.pull_sample(timeout=10.0)[0] == [-1.0, 0.0, 0.0, 0.0, 0.0]
    assert inlet.pull_sample(timeout=10.0)[0][0] == 1.0


def test_only_who_is_armed_may(listened):
    stimulator, lease, _ = listened
    assert "armed" in stimulator.give(FEEL).error
    lease.arm("bob", {"vx": 1.0}, "running")
    assert "armed" in stimulator.give(FEEL).error


class Orders:
    """Stands where the stimulator stands, and notes what it is told."""

    def __init__(self, bench):
        self.stimulator = Stimulator("loop", LIMITS, bench.guard.lease, bench.clock)
        self.stops = []
        self._clock = bench.clock
        bench.loop._desk._stimulator = self

    def give(self, asked):
        return self.stimulator.give(asked)

    def stop(self):
        self.stops.append(self._clock.now())
        return self.stimulator.stop()


@pytest.mark.parametrize(
    "ending", [StopNow(call=3, holder="x"), DisarmLease(call=3, holder="anna")]
)
def test_the_end_of_the_lease_ends_all_trains(lsl, ending):
    controls = [(0.10, ARM), (0.15, FEEL), (0.25, ending)]
    bench = Bench(steady(11), controls)
    orders = Orders(bench)
    bench.run()
    answers = {a.call: a for a in bench.controls.answers}
    assert answers[5].ok
    assert answers[5].sample is not None
    assert any(0.25 <= t <= 0.30 for t in orders.stops)
    markers = [m for m in bench.out.messages if m.topic == "markers"]
    assert [m.label for m in markers] == ["stimulate S2 40 uA 200 us 50 Hz 0.5 s"]
    assert markers[0].source == "stimulation"


def test_another_lease_does_not_take_over_the_trains_of_the_one_before(lsl):
    taken = ArmLease(call=4, holder="bob", limits={"vx": 0.5})
    both = [(0.25, DisarmLease(call=3, holder="anna")), (0.25, taken)]
    bench = Bench(steady(11), [(0.10, ARM), (0.15, FEEL), *both])
    orders = Orders(bench)
    bench.run()
    assert {a.call: a for a in bench.controls.answers}[4].ok
    assert any(0.25 <= t <= 0.30 for t in orders.stops)


def audited(bench, path):
    """Have the bench's guard keep a log; return what to close and the file."""
    log = AuditLog(path, {}, bench.clock)
    bench.guard._audit = log
    return log


def test_every_stimulus_and_the_end_of_all_are_lines_of_the_audit_log(lsl, tmp_path):
    controls = [(0.10, ARM), (0.15, FEEL), (0.25, StopNow(call=3, holder="bob"))]
    bench = Bench(steady(11), controls)
    Orders(bench)
    log = audited(bench, tmp_path / "a.jsonl")
    bench.run()
    log.close()
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    given, ended = [line for line in lines if line["event"] == "stimulus"]
    assert {k: given[k] for k in ("who", "electrode", "amplitude_ua", "duration_s")} == {
        "who": "anna",
        "electrode": "S2",
        "amplitude_ua": 40.0,
        "duration_s": 0.5,
    }
    answer = {a.call: a for a in bench.controls.answers}[5]
    assert given["sample"] == answer.sample
    assert given["lease"] == ended["lease"] == bench.guard.lease.number
    assert (ended["electrode"], ended["amplitude_ua"]) == ("", 0.0)
    assert 0.25 <= ended["time_s"] <= 0.30
    report = check_audit(log.path)
    assert (report.verdict, report.n_stimuli) == ("whole", 1)


def test_what_cannot_be_audited_is_not_felt(lsl):
    bench = Bench(steady(11), [(0.10, ARM), (0.15, FEEL)])
    Orders(bench)
    bench.guard._audit = Unaudited("no room")
    bench.run()
    answer = {a.call: a for a in bench.controls.answers}[5]
    assert not answer.ok
    assert "cannot be audited: no room" in answer.error


def test_a_session_without_the_section_says_so(lsl):
    bench = Bench(steady(7), [(0.10, ARM), (0.15, FEEL)])
    bench.run()
    answer = {a.call: a for a in bench.controls.answers}[5]
    assert not answer.ok
    assert "[stimulation]" in answer.error
