from itertools import pairwise

import numpy as np
import pytest

from bci_server.about import About
from bci_server.calls import Limit
from bci_server.control import (
    ArmLease,
    ClearStop,
    Mark,
    RenewLease,
    Shutdown,
    StopNow,
    WatchSignal,
    WebLost,
)
from bci_server.loop import TURN_S, Loop
from bci_server.mapping import Commands
from bci_server.safety.gate import Shape
from bci_server.safety.guard import Guard
from bci_server.safety.limits import Safety
from bci_server.wire import DecoderName
from decoders.deciding.trials import Trials
from decoders.lost_channels import LostChannels, Others
from decoders.pipeline import Pipeline
from devices.clock import ManualClock
from devices.device import DeviceChanged, DeviceLost, DeviceRefused
from devices.signal import Chunk, Marker
from tests.bci_server.scripted import (
    SIGNAL,
    Mean,
    MeanVelocity,
    Recorder,
    ScriptedControls,
    ScriptedStream,
    Sides,
    Speller,
    samples,
)

VELOCITY = Shape("velocity", ("vx",), "m/s")
ARM = ArmLease(call=1, holder="anna", limits={"vx": 0.5})
RENEW = RenewLease(call=2, holder="anna")
DECODER = DecoderName("mean", "1", "abc")


class Bench:
    """One loop on scripted partners. Blocks are 5 samples, 50 ms."""

    def __init__(
        self,
        script,
        controls=(),
        decoding=MeanVelocity,
        shape=VELOCITY,
        safety=Safety(),  # noqa: B008
        commands=None,
        markers=(),
        trials=None,
        others=None,
    ):
        self.clock = ManualClock()
        self.stream = ScriptedStream(self.clock, script, markers=markers)
        self.out = Recorder(self.clock)
        self.controls = ScriptedControls(self.clock, controls)
        self.guard = Guard(shape, safety, DECODER, self.clock)
        lost = None if others is None else LostChannels("mean", flat_s=0.0, most=1)
        pipeline = Pipeline(0.05, trials=trials, lost_channels=lost)
        run = pipeline.start(SIGNAL, lambda features: decoding(), others=others)
        self.loop = Loop(
            About("demo", "scripted", DECODER, "nice"),
            self.stream,
            run,
            self.guard,
            safety,
            commands,
            [self.out],
            self.controls,
            self.clock,
        )

    def run(self):
        self.ending = self.loop.run()
        return self

    @property
    def states(self):
        states = []
        for message in self.out.of("status"):
            if not states or states[-1] != message.state:
                states.append(message.state)
        return states


def steady(n_blocks, first=0, value=1.0, start_s=0.0):
    """A chunk of 5 samples every 50 ms."""
    return [(start_s + 0.05 * (i + 1), samples(first + 5 * i, 5, value)) for i in range(n_blocks)]


def renewals(until_s):
    return [(t, RenewLease(holder="anna")) for t in np.arange(0.1, until_s, 0.1)]


def test_a_stream_runs_and_ends():
    bench = Bench(steady(4)).run()
    assert bench.states == ["starting", "running", "ended"]
    assert bench.ending.reason == "the script is over"
    assert [m.decoded for m in bench.out.of("commands") if m.decoded] == [(1.0,)] * 4


def test_every_output_carries_its_ledger():
    bench = Bench(steady(2)).run()
    first, second = (m for m in bench.out.of("commands") if m.decoded)
    assert (first.sample, second.sample) == (4, 9)
    assert first.ledger.sampled_s == pytest.approx(0.05)
    assert first.ledger.received_s == pytest.approx(0.05)
    assert first.ledger.decoded_s >= first.ledger.received_s
    assert first.decoder == DECODER


def test_nobody_armed_means_neutral_but_what_was_decoded_is_shown():
    bench = Bench(steady(1)).run()
    (message,) = (m for m in bench.out.of("commands") if m.decoded)
    assert (message.mode, message.reason, message.armed) == ("neutral", "disarmed", False)
    assert message.values == (0.0,)


def test_an_armed_command_stands_within_its_limits():
    bench = Bench(steady(4), [(0.06, ARM)]).run()
    stood = [m for m in bench.out.of("commands") if m.armed]
    assert [m.values for m in stood] == [(0.25,), (0.5,), (0.5,)]
    assert all((m.mode, m.reason) == ("velocity", "") for m in stood)
    assert bench.controls.answers[0].ok


def test_a_stop_that_came_before_the_samples_counts_before_them():
    bench = Bench(steady(4), [(0.06, ARM), (0.1 - 1e-9, StopNow(holder="b"))]).run()
    assert not any(m.mode == "velocity" for m in bench.out.of("commands"))
    assert bench.out.of("commands")[-2].reason == "stopped"
    assert any(m.alarms == ("stopped",) for m in bench.out.of("status"))


def test_a_cleared_stop_leaves_the_session_disarmed():
    bench = Bench(steady(6), [(0.06, ARM), (0.11, StopNow(holder="b")), (0.16, ClearStop())])
    bench.run()
    assert [m.reason for m in bench.out.of("commands") if m.decoded][-2:] == ["disarmed"] * 2


def test_a_lease_that_is_not_renewed_ends_with_a_neutral_between_blocks():
    chunks = [(0.05, samples(0, 5)), (0.09, samples(5, 2))]
    chunks += [(0.18 + 0.09 * i, samples(7 + 9 * i, 1)) for i in range(6)]
    bench = Bench(chunks, [(0.06, ARM)], safety=Safety(stale_ms=1000)).run()
    armed = [t for t, m in bench.out.timed("status") if m.armed]
    neutral = [(t, m) for t, m in bench.out.timed("commands") if not m.armed and t > armed[0]]
    assert neutral[0][0] <= armed[0] + 0.3 + TURN_S + 0.001
    assert neutral[0][1].reason == "disarmed"


def test_a_stall_is_named_within_its_limit_and_neutral_at_once_then_steadily():
    bench = Bench([*steady(4), (1.0, samples(20, 5))], [(0.06, ARM), *renewals(0.5)]).run()
    stalled = [(t, m) for t, m in bench.out.timed("commands") if m.reason == "stalled"]
    assert stalled[0][0] == pytest.approx(0.29, abs=0.001)
    times = [t for t, _ in stalled]
    assert max(np.diff([*times, 1.0])) <= 2 * TURN_S + 1e-6
    assert all(m.mode == "neutral" and not m.armed for _, m in stalled)
    status = next((t, m) for t, m in bench.out.timed("status") if m.state == "stalled")
    assert status[0] == pytest.approx(0.29, abs=0.001)
    assert "no samples from scripted for 90 ms" in status[1].reason


def test_after_a_stall_it_runs_again_disarmed():
    bench = Bench([*steady(4), *steady(2, 20, start_s=1.0)], [(0.06, ARM)]).run()
    assert bench.states == ["starting", "running", "stalled", "running", "ended"]
    last = [m for m in bench.out.of("commands") if m.decoded][-1]
    assert last.reason in ("disarmed", "stale")
    assert not last.armed


def test_arming_a_stalled_session_is_refused():
    bench = Bench([*steady(1), (0.5, samples(5, 5))], [(0.3, ARM)]).run()
    assert not bench.controls.answers[0].ok
    assert "stalled" in bench.controls.answers[0].error


def test_values_that_are_not_finite_are_a_bad_signal_named_by_channel():
    bad = samples(5, 5)
    bad.values[2, 1] = np.nan
    script = [*steady(1), (0.1, bad), *steady(2, 10, start_s=0.1)]
    bench = Bench(script, [(0.06, ARM)]).run()
    (message,) = (m for m in bench.out.of("commands") if m.quality == "bad")
    assert (message.mode, message.reason) == ("neutral", "bad_signal")
    said = [[c.name for c in m.channels if c.quality == "bad"] for m in bench.out.of("status")]
    assert ["C4"] in said
    assert said[-1] == []
    assert bench.ending.state == "ended"


def test_a_lost_channel_is_filled_in_named_and_commands_go_on():
    bad = samples(5, 5)
    bad.values[:, 1] = np.nan
    script = [*steady(1), (0.1, bad), *steady(2, 10, start_s=0.1)]
    others = Others(np.array([0.0, 3.0]), np.empty((0, 0)))
    bench = Bench(script, [(0.06, ARM)], others=others).run()
    (message,) = (m for m in bench.out.of("commands") if m.quality == "degraded")
    assert (message.mode, message.reason, message.decoded) == ("velocity", "", (2.0,))
    assert message.values[0] > 0
    said = [[(c.name, c.reason) for c in m.channels if c.reason] for m in bench.out.of("status")]
    assert [("C4", "values are not finite; filled in")] in said
    assert said[-1] == []


def test_samples_that_are_old_when_they_come_are_stale():
    script = [(t + 0.25, chunk) for t, chunk in steady(3)]
    bench = Bench(script, [(0.31, ARM)]).run()
    reasons = [m.reason for m in bench.out.of("commands") if m.decoded]
    assert reasons == ["stale"] * 3


def test_while_the_senders_clock_jumps_commands_are_neutral_and_go_on_by_themselves():
    bench = Bench(steady(20), [(0.06, ARM), *[(t / 10, RENEW) for t in range(1, 10)]])
    bench.stream.unsound = (0.3, 0.6)
    bench.run()
    reasons = [(round(t, 2), m.reason) for t, m in bench.out.timed("commands") if m.decoded]
    assert {r for t, r in reasons if 0.15 < t < 0.3} == {""}
    assert {r for t, r in reasons if 0.3 <= t < 0.6} == {"stale"}
    assert {r for t, r in reasons if 0.6 <= t < 1.0} == {""}
    said = [(t, "unsound_times" in m.alarms) for t, m in bench.out.timed("status")]
    changed = [(round(t, 2), now) for (_, was), (t, now) in pairwise(said) if now != was]
    assert changed == [(0.3, True), (0.6, False)]


def test_a_clock_that_jumps_for_long_disarms():
    bench = Bench(steady(60), [(0.06, ARM), *[(t / 10, RENEW) for t in range(1, 30)]])
    bench.stream.unsound = (0.3, 1.5)
    bench.run()
    commands = [(t, m) for t, m in bench.out.timed("commands") if m.decoded]
    assert {m.safety for t, m in commands if 0.3 < t < 1.2} == {"hold"}
    assert {m.reason for t, m in commands if 1.5 <= t < 2.9} == {"disarmed"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DeviceLost("the headset is gone"), "the headset is gone"),
        (DeviceChanged("it came back at 500 Hz"), "it came back at 500 Hz"),
        (DeviceRefused("the values are text"), "the values are text"),
        (RuntimeError("driver"), "RuntimeError: driver"),
    ],
)
def test_a_device_that_cannot_go_on_fails_the_session_neutral(error, reason):
    bench = Bench([*steady(2), (0.12, error)], [(0.06, ARM)]).run()
    assert (bench.ending.state, bench.ending.reason) == ("failed", reason)
    status = bench.out.of("status")[-1]
    assert (status.state, status.reason, status.armed) == ("failed", reason, False)
    last = bench.out.of("commands")[-1]
    assert (last.mode, last.reason, last.armed) == ("neutral", "failed", False)


def test_a_decoder_that_raises_fails_the_session_and_says_where():
    bench = Bench([*steady(1), *steady(1, 5, value=666.0, start_s=0.05)], [(0.06, ARM)]).run()
    assert bench.ending.state == "failed"
    assert bench.ending.reason == "ZeroDivisionError: the decoder divides by zero"
    assert "scripted.py" in bench.ending.trace
    assert bench.out.of("commands")[-1].mode == "neutral"


def test_a_decoder_that_says_nonsense_is_neutral():
    bench = Bench([*steady(1), *steady(1, 5, value=999.0, start_s=0.05)], [(0.06, ARM)]).run()
    said = [(m.safety, m.reason, m.armed, m.decoded) for m in bench.out.of("commands")]
    assert ("fault", "decoder_failed", False, ()) in said


def test_a_voice_is_said_block_by_block_and_commands_nothing():
    bench = Bench(steady(4), [(0.06, ARM)], decoding=Mean, shape=None).run()
    assert [(m.names, m.values, m.unit) for m in bench.out.of("voice")] == [
        (("mel1", "voicing"), (1.0, 1.0), "dB")
    ] * 4
    assert [m.sample for m in bench.out.of("voice")] == [4, 9, 14, 19]
    assert not bench.out.of("commands")
    assert not bench.controls.answers[0].ok


def test_a_voice_that_is_no_number_is_not_said():
    bench = Bench([*steady(1), *steady(1, 5, value=999.0, start_s=0.05)], decoding=Mean).run()
    assert len(bench.out.of("voice")) == 1


def test_low_confidence_is_neutral():
    bench = Bench(steady(2), [(0.06, ARM)], safety=Safety(min_confidence=0.95)).run()
    assert [m.reason for m in bench.out.of("commands") if m.decoded][-1] == "low_confidence"


def test_a_lost_web_process_disarms():
    bench = Bench(steady(4), [(0.06, ARM), (0.11, WebLost())]).run()
    assert [m.armed for m in bench.out.of("commands") if m.decoded] == [False, True, False, False]


def test_classes_become_commands_where_the_session_says_how():
    commands = Commands(("x",), {"left": (-1.0,), "right": (1.0,)})
    bench = Bench(
        steady(1), decoding=Sides, shape=Shape("velocity", ("x",), "1"), commands=commands
    )
    bench.run()
    (prediction,) = bench.out.of("predictions")
    (command,) = (m for m in bench.out.of("commands") if m.decoded)
    left, right = prediction.probabilities
    assert command.decoded == pytest.approx((right - left,))
    assert command.confidence == max(left, right)


def test_tokens_go_out_as_they_are():
    bench = Bench(steady(2), decoding=Speller, shape=None).run()
    first, second = bench.out.of("tokens")
    assert (first.text, first.is_final, second.is_final) == ("a", False, True)
    assert [(a.text, a.confidence) for a in second.alternatives] == [("b", 0.25)]
    assert (second.item, second.unit, second.sample) == (1, "character", 9)


@pytest.mark.parametrize(("armed_s", "n_steered"), [(0.06, 1), (0.12, 0)])
def test_a_trial_that_was_cued_before_arming_moves_nothing(armed_s, n_steered):
    commands = Commands(("x",), {"left": (-1.0,), "right": (1.0,)}, "click", on="decisions")
    bench = Bench(
        steady(8),
        [(armed_s, ArmLease(call=1, holder="anna", limits={"x": Limit(value=1.0, velocity=50.0)}))],
        decoding=Sides,
        shape=Shape("click", ("x",), "1"),
        commands=commands,
        trials=Trials({"T1": "right"}, start_s=0.1, end_s=0.2),
        markers=[Marker(0.1, "T1")],
    ).run()
    assert bench.controls.answers[0].ok, bench.controls.answers
    assert len([m for m in bench.out.of("predictions") if m.decision]) == 1
    assert len([m for m in bench.out.of("commands") if m.mode == "click"]) == n_steered


def test_a_session_without_commands_says_none_and_cannot_be_armed():
    bench = Bench(steady(3), [(0.06, ARM)], decoding=Sides, shape=None).run()
    assert bench.out.of("commands") == []
    assert len(bench.out.of("predictions")) == 3
    assert "gives no commands" in bench.controls.answers[0].error


def test_markers_of_the_device_end_trials_with_a_decision():
    trials = Trials({"T1": "right"}, start_s=0.1, end_s=0.2)
    bench = Bench(steady(8), decoding=Sides, shape=None, trials=trials, markers=[Marker(0.1, "T1")])
    bench.run()
    (marker,) = bench.out.of("markers")
    assert (marker.label, marker.sample, marker.source) == ("T1", 9, "device")
    (decided,) = (m for m in bench.out.of("predictions") if m.decision)
    assert (decided.decision, decided.cue_sample, decided.sample) == ("right", 9, 29)


def test_a_clients_marker_is_bound_to_the_newest_sample():
    bench = Bench(steady(4), [(0.11, Mark(call=4, label="go"))]).run()
    assert bench.controls.answers[0].sample == 9
    (marker,) = bench.out.of("markers")
    assert (marker.label, marker.sample, marker.source) == ("go", 9, "client")


def test_feedback_is_bound_to_the_sample_that_it_is_about():
    said = Mark(call=4, label="up", kind="target", values=(0.1, 0.2), sample=3)
    bench = Bench(steady(4), [(0.11, said)]).run()
    assert bench.controls.answers[0].sample == 3
    (marker,) = bench.out.of("markers")
    assert (marker.kind, marker.label, marker.values) == ("target", "up", (0.1, 0.2))
    assert (marker.sample, marker.source) == (3, "client")


def test_feedback_on_a_sample_that_has_not_come_is_refused_with_both_numbers():
    said = Mark(call=4, label="", kind="error", sample=10)
    bench = Bench(steady(4), [(0.11, said)]).run()
    (answer,) = bench.controls.answers
    assert not answer.ok
    assert "sample 10 has not come yet; the newest is 9" in answer.error
    assert not bench.out.of("markers")


def test_samples_are_shown_only_while_somebody_looks():
    bench = Bench(
        steady(10), [(0.11, WatchSignal(call=1, rate_hz=50)), (0.31, WatchSignal(call=2))]
    ).run()
    shown = bench.out.of("signal")
    assert len(shown) == 5
    assert shown[0].rate_hz == 50
    assert shown[0].channels == SIGNAL.channels


def test_it_shuts_down_on_request():
    bench = Bench(steady(100), [(0.2, Shutdown(call=9))]).run()
    assert (bench.ending.state, bench.ending.reason) == ("ended", "shut down on request")
    assert bench.clock.now() < 0.3
    assert bench.controls.answers[-1].call == 9


def test_it_turns_often_enough_for_a_heartbeat():
    bench = Bench([*steady(2), (1.5, samples(10, 5))]).run()
    assert max(np.diff(bench.out.turns)) <= TURN_S + 1e-6


def test_status_is_said_every_second_with_rate_losses_and_latency():
    bench = Bench(steady(70)).run()
    every = [t for t, m in bench.out.timed("status") if m.state == "running"]
    assert np.diff(every) == pytest.approx([1.0] * 3, abs=0.06)
    last = bench.out.of("status")[-1]
    assert (last.effective_rate_hz, last.n_gaps, last.n_lost) == (99.0, 1, 7)
    assert set(last.latency_ms) == {"sampled_received", "received_decoded", "sampled_decoded"}
    assert last.scheduling == "nice"


def test_live_equals_offline_however_the_samples_are_cut():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((400, 2)).astype(np.float32)
    times = (np.arange(400) + 1) / 100.0

    def run(edges):
        script = [(times[b - 1], Chunk(times[a:b], values[a:b])) for a, b in pairwise(edges)]
        bench = Bench(script, safety=Safety(stall_ms=2000, stale_ms=2000, ttl_ms=900)).run()
        return [(m.sample, m.decoded) for m in bench.out.of("commands") if m.decoded]

    offline = [
        (d.moment.sample, d.outputs[0].values)
        for d in Pipeline(0.05)
        .start(SIGNAL, lambda features: MeanVelocity())
        .feed(Chunk(times, values))
    ]
    assert len(offline) == 80
    assert run(range(401)) == offline
    assert run([0, 100, 200, 300, 400]) == offline
    cuts = np.unique(rng.integers(1, 400, 60)).tolist()
    assert run([0, *cuts, 400]) == offline
