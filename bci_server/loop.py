"""The real-time path, and all of it: read → steps → decoder → gate → sinks.

One thread, no queue between: a blocking read, everything that follows from it, and back. Nothing
on it waits, logs, or asks the web. The sinks return at once; controls from outside wait in a
queue that is looked at each time a read returns, at the latest after `TURN_S`.

States::

    starting → running ⇄ stalled → ended | failed

What goes wrong is caught once, at the top of `Loop.run`; the session then says that it failed and
why, and its last command is neutral.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec

from bci_server.about import About, Ending
from bci_server.control import Controls
from bci_server.control_desk import ControlDesk
from bci_server.mapping import Commanding, Commands
from bci_server.messages import (
    channel_health,
    marker_message,
    prediction_message,
    quality_of,
    recording_status,
    token_message,
    version_message,
    voice_message,
)
from bci_server.recording.recorder import Recorder
from bci_server.safety.guard import Guard
from bci_server.safety.limits import Safety
from bci_server.safety.quality import Contact
from bci_server.steering import why_stalled
from bci_server.stimulator import Stimulator
from bci_server.timing import Timing
from bci_server.tuning import Tuning
from bci_server.wire import (
    DataMessage,
    Ledger,
    Quality,
    SessionState,
    StatusMessage,
)
from decoders.lost_channels import Reason
from decoders.output import Adapted, Command, Output, Prediction, Token, Voice
from decoders.pipeline import Decoded, Run
from devices.clock import Clock
from devices.device import DeviceError, EndOfStream, Stream
from devices.signal import Chunk

__all__ = ["TURN_S", "Loop", "Sink"]

TURN_S = 0.02
"""The loop turns at least this often, whether samples come or not."""

_STATUS_S = 1.0


class Sink(Protocol):
    """Takes what the session says. Never waits, never raises for what the other side did."""

    def put(self, message: DataMessage) -> None:
        """Take one message; return at once."""

    def turn(self, now_s: float) -> None:
        """Note that the loop turned, at least every `TURN_S`; return at once."""


class Loop:
    """One session's real-time path.

    Parameters
    ----------
    about
        Who speaks.
    stream
        The open device. Not closed here.
    run
        The started pipeline.
    guard
        Gate and lease; disarmed.
    safety
        The limits of the session file.
    commands
        What classes mean for the effector; None: predictions give no commands.
    sinks
        Where messages go, in this order.
    controls
        What is asked from outside.
    clock
        Stamps everything.
    recorder
        Takes everything that goes in and comes out; None: nothing can be recorded. Not closed
        here.
    stimulator
        Makes somebody feel something; None: the session has no such part.
    tuning
        Makes weights beside the loop; None: what is ordered is not made. Not closed here.
    """

    def __init__(
        self,
        about: About,
        stream: Stream,
        run: Run,
        guard: Guard,
        safety: Safety,
        commands: Commands | None,
        sinks: Sequence[Sink],
        controls: Controls,
        clock: Clock,
        recorder: Recorder | None = None,
        stimulator: Stimulator | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self._about = about
        self._stream = stream
        self._run = run
        self._guard = guard
        self._commanding = Commanding(commands, run.signal.rate_hz)
        self._recorder = recorder
        self._desk = ControlDesk(stream, run, guard, controls, recorder, stimulator, about.adapts)
        self._tuning = tuning
        self._sinks = tuple(sinks) if recorder is None else (*sinks, recorder)
        self._controls = controls
        self._clock = clock
        self._stall_s = 1e-3 * safety.stall_ms
        self._identity = stream.identity
        now_s = clock.now()
        self._timing = Timing(run.hop / run.signal.rate_hz, now_s)
        self._state: SessionState = "starting"
        self._reason = f"waiting for samples of {about.device}"
        self._lost: Mapping[str, Reason] = {}
        self._quality: Quality = "good"
        self._contact = Contact(run.signal, safety)
        self._is_timed = True
        self._armed = False
        self._n_samples = 0
        self._sample = -1
        self._ledger = Ledger(now_s, now_s, now_s)
        self._received_s = now_s
        self._status_due_s = now_s
        self._neutral_due_s = -math.inf

    def run(self) -> Ending:
        """Run until the stream ends, something fails, or somebody asks to shut down."""
        self._neutral(self._clock.now())
        try:
            while not self._desk.is_shut_down:
                self._turn()
            ending = Ending("ended", "shut down on request")
        except EndOfStream as e:
            ending = Ending("ended", str(e) or "the stream is over")
        except DeviceError as e:
            ending = Ending("failed", str(e))
        except Exception as e:  # the one place: whatever a decoder or a driver does ends here
            reason = f"{type(e).__name__}: {e}"
            ending = Ending("failed", reason, traceback.format_exc())
        self._guard.lease.drop()
        self._desk.still(self._newest())
        self._enter(ending.state, ending.reason)
        return ending

    def _turn(self) -> None:
        now_s = self._clock.now()
        timeout_s = TURN_S
        if self._state == "running":
            timeout_s = max(0.0, min(TURN_S, self._received_s + self._stall_s - now_s))
        chunk = self._stream.read(timeout_s)
        now_s = self._clock.now()
        self._attend()  # first: a stop that came before the samples counts before them
        if chunk is not None:
            self._take(chunk, now_s)
        elif self._state == "running" and now_s >= self._received_s + self._stall_s:
            self._stall()
        self._keep_up(self._clock.now())

    def _take(self, chunk: Chunk, now_s: float) -> None:
        self._received_s = now_s
        if self._state != "running":
            self._state, self._reason = "running", ""
            self._status_due_s = now_s
        is_timed = self._stream.has_sound_times()
        if is_timed != self._is_timed:
            self._is_timed, self._status_due_s = is_timed, now_s
        self._n_samples += len(chunk)
        markers = self._stream.take_markers()
        truth = None
        if self._stream.truth_signal is not None:
            truth = self._stream.take_truth()  # only recorded, but it must not pile up
        marks, self._desk.marks = (*self._stream.take_events(), *self._desk.marks), []
        if self._recorder is not None:
            own = self._stream.sender_times()
            self._recorder.take(chunk, own, markers, marks, truth, now_s)
        for decoded in self._run.feed(chunk, markers, marks):
            self._publish(decoded)
        if self._tuning is not None:
            self._desk.marks += self._tuning.turn(self._run, self._n_samples - 1)

    def _publish(self, decoded: Decoded) -> None:
        decoded_s = self._clock.now()
        if self._recorder is not None:
            self._recorder.said(decoded)
        moment = decoded.moment
        self._sample = moment.sample
        sampled_s = self._stream.due_s(moment.time_s)
        ledger = self._ledger = Ledger(sampled_s, self._received_s, decoded_s)
        quality = quality_of(decoded, self._contact.quality)
        outputs = decoded.outputs
        while outputs and isinstance(outputs[0], Adapted):  # what follows is that version's
            self._changed(outputs[0], ledger)
            outputs = outputs[1:]
        command = self._commanding.command(outputs, self._sample)
        self._command(command, quality)  # first: somebody moves by it
        self._say(outputs, quality, ledger)
        for event in moment.events:
            self._put(marker_message(event, ledger))
        if (display := self._desk.display) is not None:
            shown = display.take(decoded.block, moment.sample, ledger, self._about.decoder)
            for message in shown:
                self._put(message)
        self._timing.add(ledger.sampled_s, ledger.received_s, decoded_s)
        has_changed = self._contact.look(decoded.block.values)
        if has_changed or decoded.lost_channels != self._lost or quality != self._quality:
            self._lost, self._quality = decoded.lost_channels, quality
            self._status_due_s = decoded_s

    def _say(self, outputs: Sequence[Output], quality: Quality, ledger: Ledger) -> None:
        sample, decoder = self._sample, self._about.decoder
        for output in outputs:
            match output:
                case Prediction() if not all(map(math.isfinite, output.probabilities)):
                    self._guard.fail()
                case Voice() if not all(map(math.isfinite, output.values)):
                    self._guard.fail()
                case Prediction():
                    self._put(prediction_message(output, sample, ledger, quality, decoder))
                case Voice():
                    self._put(voice_message(output, sample, ledger, quality, decoder))
                case Token():
                    self._put(token_message(output, sample, ledger, quality, decoder))
                case Adapted():
                    self._changed(output, ledger)

    def _changed(self, version: Adapted, ledger: Ledger) -> None:
        """Take in that another version of the decoder speaks from now on."""
        decoder = msgspec.structs.replace(self._about.decoder, hash=version.hash)
        self._about = replace(self._about, decoder=decoder)
        self._guard.decoder = decoder
        self._put(version_message(version, self._sample, ledger, decoder))

    def _command(self, command: Command | None, quality: Quality) -> None:
        # Nobody knows how old samples are whose clock has just jumped.
        age_ms = self._age_ms(self._clock.now()) if self._is_timed else math.inf
        is_same = self._stream.identity == self._identity
        message = self._guard.message(
            command, self._state, quality, age_ms, self._sample, self._ledger, is_same
        )
        if message is not None:
            self._put(message)

    def _neutral(self, now_s: float) -> None:
        self._command(None, self._quality)
        self._neutral_due_s = now_s + TURN_S

    def _stall(self) -> None:
        self._guard.lease.drop()
        self._enter("stalled", why_stalled(self._stream, self._about.device, self._stall_s))

    def _enter(self, state: SessionState, reason: str) -> None:
        """Change to a state without commands: neutral first, then say so."""
        self._state, self._reason = state, reason
        now_s = self._clock.now()
        self._neutral(now_s)
        self._status(now_s)
        self._turn_sinks(now_s)

    def _attend(self) -> None:
        """Do what was asked from outside."""
        self._attend_lease()
        while (control := self._controls.take()) is not None:
            if self._desk.heed(control, self._newest(), self._state):
                self._status_due_s = self._clock.now()
            self._attend_lease()  # after each: one may end a lease, and the next give another

    def _attend_lease(self) -> None:
        """Say neutral and end all stimulation when the lease has ended, by whatever cause."""
        armed = self._guard.lease.limits() is not None
        if armed != self._armed:
            self._armed = armed
            # What was cued or begun to be said under another lease, or none, moves nothing now.
            self._commanding.forget(self._n_samples)
            now_s = self._clock.now()
            self._status_due_s = now_s
            if not armed:
                self._neutral(now_s)
                self._desk.still(self._newest())

    def _newest(self) -> int:
        return max(0, self._n_samples - 1)

    def _keep_up(self, now_s: float) -> None:
        is_due = self._state != "running" or self._guard.is_braking
        if is_due and now_s >= self._neutral_due_s:
            self._neutral(now_s)
        if now_s >= self._status_due_s:
            self._status(now_s)
        self._turn_sinks(now_s)

    def _status(self, now_s: float) -> None:
        self._status_due_s = now_s + _STATUS_S
        health, about = self._stream.health(), self._about
        alarms = self._guard.alarms
        if not self._is_timed:
            alarms = (*alarms, "unsound_times")
        recording = None
        if self._recorder is not None:
            state = self._recorder.state
            alarms, recording = (*alarms, *state.alarms), recording_status(state)
        self._put(
            StatusMessage(
                topic="status",
                sample=self._sample,
                ledger=self._ledger,
                quality=self._quality,
                decoder=about.decoder,
                session=about.session,
                state=self._state,
                reason=self._reason,
                armed=self._guard.lease.limits() is not None,
                safety=self._guard.state,
                device=about.device,
                unit=self._run.signal.unit,
                channels=channel_health(
                    self._run.signal.channels,
                    self._lost,
                    bool(self._lost) and self._quality == "degraded",
                    self._contact.bad,
                ),
                rate_hz=self._run.signal.rate_hz,
                effective_rate_hz=health.effective_rate_hz,
                clock_offset_s=health.clock_offset_s,
                sample_age_ms=None if self._sample < 0 else self._age_ms(now_s),
                n_gaps=health.n_gaps,
                n_lost=health.n_lost,
                n_jumps=health.n_jumps,
                deadline_misses=self._timing.deadline_misses,
                latency_ms=self._timing.percentiles(now_s),
                scheduling=about.scheduling,
                alarms=alarms,
                recording=recording,
            )
        )

    def _age_ms(self, now_s: float) -> float:
        return 1e3 * (now_s - self._ledger.sampled_s)

    def _put(self, message: DataMessage) -> None:
        for sink in self._sinks:
            sink.put(message)

    def _turn_sinks(self, now_s: float) -> None:
        for sink in self._sinks:
            sink.turn(now_s)
