"""Does what is asked of a session while it runs, and answers.

The loop hands over each control between two reads, so nothing here waits.
"""

from __future__ import annotations

from bci_server.control import (
    Answer,
    Control,
    Controls,
    GiveStimulus,
    Mark,
    Shutdown,
    StartRecording,
    SteerReplay,
    StopRecording,
    WatchSignal,
    WebLost,
)
from bci_server.display import Display
from bci_server.messages import recording_answer
from bci_server.recording.recorder import Recorder
from bci_server.safety.guard import Guard
from bci_server.safety.lease import LeaseRefused
from bci_server.steering import steer
from bci_server.stimulator import Stimulator, label_of
from bci_server.wire import SessionState
from decoders.decoder import Event
from decoders.pipeline import Run
from devices.device import Stream

__all__ = ["ControlDesk"]


class ControlDesk:
    """What can be asked of one loop from outside.

    Parameters
    ----------
    stream, run, guard, controls, recorder, stimulator
        As for `bci_server.loop.Loop`.
    adapts
        The decoder learns while it runs.

    Attributes
    ----------
    marks
        Events that were asked for, to go in with the next samples.
    display
        Shows samples; None while nobody looks.
    is_shut_down
        The session is to end.
    """

    def __init__(
        self,
        stream: Stream,
        run: Run,
        guard: Guard,
        controls: Controls,
        recorder: Recorder | None,
        stimulator: Stimulator | None,
        adapts: bool,
    ) -> None:
        self.marks: list[Event] = []
        self.display: Display | None = None
        self.is_shut_down = False
        self._stream = stream
        self._run = run
        self._guard = guard
        self._answer = controls.answer
        self._recorder = recorder
        self._stimulator = stimulator
        self._adapts = adapts

    def heed(self, control: Control | WebLost, newest: int, state: SessionState) -> bool:
        """Do what is asked, and answer it; return whether the status says something else now.

        Parameters
        ----------
        control
            What is asked.
        newest
            Index of the newest sample; 0 before the first.
        state
            Where the session is.
        """
        match control:
            case WebLost():
                self._guard.lease.drop()
                self.display = None
            case Shutdown():
                self.is_shut_down = True
                self._answer(Answer(call=control.call, ok=True))
            case Mark():
                self._mark(control, newest)
            case GiveStimulus():
                self._stimulate(control, newest)
            case StartRecording() | StopRecording():
                self._record(control)
                return True
            case SteerReplay():
                self._answer(steer(self._stream, control))
            case WatchSignal():
                self._watch(control)
            case _:
                self._answer(self._guard.control(control, state))
                return True
        return False

    def still(self, newest: int) -> None:
        """End all stimulation."""
        if self._stimulator is not None and self._stimulator.stop():
            self._guard.stimulated(None, newest)

    def _mark(self, mark: Mark, newest: int) -> None:
        if mark.kind == "adapt" and not self._adapts:
            error = "this session does not adapt, so there is nothing to switch"
            self._refuse(mark.call, error, "add [adaptation] to its file and restart it")
            return
        if mark.sample is not None and mark.sample > newest:
            error = f"sample {mark.sample} has not come yet; the newest is {newest}"
            fix = "name the sample of a message that you received, or none: then it is the newest"
            self._refuse(mark.call, error, fix)
            return
        sample, heard = (newest, None) if mark.sample is None else (mark.sample, newest)
        event = Event(sample, mark.label, mark.source, mark.kind, mark.values, heard)
        if problem := self._run.problem_with(event):
            fix = "ask a session with a [language]; a new word needs places there, and its phonemes"
            self._refuse(mark.call, problem, fix)
            return
        self.marks.append(event)
        self._answer(Answer(call=mark.call, ok=True, sample=sample))

    def _stimulate(self, asked: GiveStimulus, newest: int) -> None:
        if self._stimulator is None:
            error = "this session has no [stimulation] section, so nothing can be stimulated"
            fix = "add [stimulation] with the electrodes and their limits to its file"
            self._refuse(asked.call, error, fix)
            return
        try:
            self._guard.check_audited()
        except LeaseRefused as e:
            self._refuse(asked.call, e.cause, e.fix)
            return
        answer = self._stimulator.give(asked)
        if not answer.ok:
            self._answer(answer)
            return
        self._guard.stimulated(asked, newest)
        self._mark(Mark(call=asked.call, label=label_of(asked), source="stimulation"), newest)

    def _record(self, asked: StartRecording | StopRecording) -> None:
        recorder, call = self._recorder, asked.call
        if recorder is None:
            error = "this session has no [record] section, so it cannot be recorded"
            fix = 'add [record] with participant = "…" (a code) to its file and restart it'
            self._refuse(call, error, fix)
        elif isinstance(asked, StartRecording):
            recorder.start(lambda result: self._answer(recording_answer(call, result)))
        else:
            recorder.stop(lambda result: self._answer(recording_answer(call, result)))

    def _watch(self, asked: WatchSignal) -> None:
        wanted = asked.rate_hz is not None and asked.rate_hz > 0
        self.display = Display(self._run.signal, asked.rate_hz or 1.0) if wanted else None
        self._answer(Answer(call=asked.call, ok=True))

    def _refuse(self, call: int, error: str, fix: str) -> None:
        self._answer(Answer(call=call, ok=False, error=error, fix=fix))
