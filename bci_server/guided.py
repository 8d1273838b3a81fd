"""Guided calibration of a running session: cues, a recording, a fit beside the loop, a decision.

The cues are markers on the session, so every client that subscribes to ``markers`` can show them:
the label of a class when its trial begins, ``rest`` when it ends, all with the source
``calibration``. The fit runs in a process of its own at low priority, by the command that anybody
can repeat on the recording. What it gives is a candidate; nothing uses it before it is accepted.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from bci_server.config import BadSession, Session, load_session
from bci_server.control import (
    Answer,
    Control,
    Mark,
    Request,
    RestartSession,
    StartRecording,
    StopRecording,
)
from bci_server.link.web_end import LinkLost
from bci_server.wire import StatusMessage

__all__ = ["Guided", "GuidedState", "Plan", "Progress", "Unguided", "cues_of"]

GuidedState = Literal[
    "collecting", "fitting", "fitted", "accepted", "rejected", "cancelled", "failed"
]

REST = "rest"
SOURCE = "calibration"
_COMMAND = (sys.executable, "-m", "bci_server")
_DISK_S = 30.0
_STOP_S = 15.0
_AFTER_S = 0.5
"""The last trial is followed by so much more signal than it needs."""


class Unguided(Exception):
    """It cannot be done, or not now.

    Parameters
    ----------
    cause, fix
        For the user.
    """

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.fix = fix


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the participant is asked to do.

    Parameters
    ----------
    trials_per_class
        How many trials of each class, in random order.
    pause_s, jitter_s
        Rest before each trial, and how much longer it may be at random.
    seed
        Of the order and the pauses; None: another one each time.
    """

    trials_per_class: int = 15
    pause_s: float = 2.0
    jitter_s: float = 1.0
    seed: int | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is.

    Parameters
    ----------
    state
        Where it stands.
    trial, n_trials
        Trials cued so far, and in all.
    recording
        The file, once there is one.
    quality
        ``n_gaps``, ``n_lost`` samples, and the share of ``bad`` status messages while collecting.
    summary
        What ``bci calibrate --json`` said: the candidate's metrics among it.
    problem, fix
        Why it failed, and what to do.
    """

    state: GuidedState
    trial: int = 0
    n_trials: int = 0
    recording: str = ""
    quality: Mapping[str, float] = {}
    summary: Mapping[str, Any] = {}
    problem: str = ""
    fix: str = ""


class _Session(Protocol):
    """What is used of `bci_server.web.live.Live`."""

    name: str
    status: StatusMessage | None
    engine: Any
    record: Any


Ask = Callable[[Request, float], Any]
Sleep = Callable[[float], Any]


def cues_of(classes: Sequence[str], plan: Plan) -> list[tuple[str, float]]:
    """Return each trial's cue, and the pause before it in seconds.

    Each class comes once in every run of as many trials as there are classes, so that what drifts
    drifts for all of them.
    """
    rng = random.Random(plan.seed)
    cues = []
    for _ in range(plan.trials_per_class):
        block = list(classes)
        rng.shuffle(block)
        cues += [(cue, plan.pause_s + rng.uniform(0.0, plan.jitter_s)) for cue in block]
    return cues


class Guided:
    """One guided calibration.

    Parameters
    ----------
    live
        The session as it runs.
    session
        Its file.
    supervisor
        Restarts its engine with the accepted model: ``await supervisor(request, timeout_s)``.
    plan
        What to ask for.
    sleep
        Waits; another one for tests.

    Raises
    ------
    Unguided
        The session cannot be calibrated so.
    """

    def __init__(
        self,
        live: _Session,
        session: Session,
        supervisor: Ask,
        plan: Plan,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._live = live
        self._supervisor = supervisor
        self._sleep = sleep
        self._file = Path(live.record.file)
        trials = session.pipeline.trials
        if trials is None or session.record is None:
            missing = "[trials]" if trials is None else "[record]"
            raise Unguided(
                f"the session has no {missing} section, which says "
                + ("what is cued" if trials is None else "where what is collected goes"),
                f"add {missing} to {self._file.name} and restart the session",
            )
        if plan.trials_per_class < 2 or not (plan.pause_s >= 0 and plan.jitter_s >= 0):
            raise Unguided(
                f"trials_per_class = {plan.trials_per_class}, pause_s = {plan.pause_s:g}, "
                f"jitter_s = {plan.jitter_s:g}",
                "ask for 2 trials of each class or more, with pauses that are not negative",
            )
        # One cue for each class: where several markers cue one, the first.
        first = {label: cue for cue, label in reversed(list(trials.labels.items()))}
        self._trial_s = trials.end_s
        self._cues = cues_of(list(first.values()), plan)
        self._model = session.model
        self._candidate: Path | None = None
        self._bad: list[bool] = []
        self._task: asyncio.Task[None] | None = None
        self.progress = Progress(state="collecting", n_trials=len(self._cues))

    @classmethod
    async def of(cls, live: _Session, supervisor: Ask, plan: Plan) -> Guided:
        """Prepare one for a running session.

        Raises
        ------
        Unguided
            The session cannot be calibrated so.
        """
        try:
            session = await asyncio.to_thread(load_session, Path(live.record.file))
        except BadSession as e:
            raise Unguided(str(e), "mend the session file") from e
        return cls(live, session, supervisor, plan)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.progress.state not in ("collecting", "fitting")

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._run())

    async def wait(self) -> None:
        """Wait until it is over."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def cancel(self) -> None:
        """End it; what was recorded stays."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        if not self.is_over:
            self._say(state="cancelled")

    async def accept(self) -> None:
        """Put the candidate in the model's place, and restart the session, disarmed.

        A model that was there stays beside it, under the name of the candidate and ``-before``.

        Raises
        ------
        Unguided
            There is no candidate, or the session did not restart.
        """
        await asyncio.to_thread(_take_its_place, self._fitted(), self._model)
        try:
            answer = await self._supervisor(RestartSession(session=self._live.name), _STOP_S)
        except LinkLost as lost:
            raise Unguided(str(lost), "the model is in its place; restart the session") from lost
        if not answer.ok:
            raise Unguided(answer.error or "the session did not restart", answer.fix or "try again")
        self._say(state="accepted")

    async def reject(self) -> None:
        """Throw the candidate away; the recording stays.

        Raises
        ------
        Unguided
            There is no candidate.
        """
        await asyncio.to_thread(shutil.rmtree, self._fitted())
        self._say(state="rejected")

    def _fitted(self) -> Path:
        if self.progress.state != "fitted" or self._candidate is None:
            raise Unguided(
                f"the calibration is {self.progress.state}",
                "accept or reject one that is fitted",
            )
        return self._candidate

    async def _run(self) -> None:
        try:
            file = await self._collect()
            self._say(state="fitting", recording=str(file), quality=self._quality())
            await self._fit(file)
        except Unguided as e:
            self._say(state="failed", problem=e.cause, fix=e.fix)

    async def _collect(self) -> Path:
        before = self._live.status
        self._losses = (0, 0) if before is None else (before.n_gaps, before.n_lost)
        await self._ask(StartRecording(), _DISK_S)
        try:
            for number, (cue, pause_s) in enumerate(self._cues, 1):
                await self._sleep(pause_s)
                await self._ask(Mark(label=cue, source=SOURCE))
                self._say(trial=number)
                await self._sleep(self._trial_s)
                await self._ask(Mark(label=REST, source=SOURCE))
                status = self._live.status
                self._bad.append(status is None or status.quality != "good")
            await self._sleep(_AFTER_S)
        finally:
            answer = await self._ask(StopRecording(), _DISK_S)
        return Path(answer.file or "")

    def _quality(self) -> dict[str, float]:
        status = self._live.status
        n_gaps, n_lost = (0, 0) if status is None else (status.n_gaps, status.n_lost)
        return {
            "n_gaps": n_gaps - self._losses[0],
            "n_lost": n_lost - self._losses[1],
            "bad": sum(self._bad) / max(1, len(self._bad)),
        }

    async def _fit(self, file: Path) -> None:
        candidate = self._model.with_name(f"{self._model.name}-{file.name.partition('.')[0]}")
        command = (*_COMMAND, "calibrate", str(self._file), str(file), "-o", str(candidate))
        process = await asyncio.create_subprocess_exec(
            *(*_behind_others(), *command, "--json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            why = err.decode(errors="replace").strip() or f"it ended with {process.returncode}"
            again = " ".join(command[len(_COMMAND) :])
            raise Unguided(f"no decoder could be fitted: {why}", f"see `bci {again}`")
        self._candidate = candidate
        self._say(state="fitted", summary=msgspec.json.decode(out))

    async def _ask(self, control: Control, timeout_s: float = 1.0) -> Answer:
        try:
            answer: Answer = await self._live.engine.call(control, timeout_s=timeout_s)
        except LinkLost as lost:
            raise Unguided(f"the session was lost: {lost}", "start it, and begin again") from lost
        if not answer.ok:
            raise Unguided(answer.error or "the engine refused", answer.fix or "begin again")
        return answer

    def _say(self, **changes: Any) -> None:
        self.progress = msgspec.structs.replace(self.progress, **changes)


def _behind_others() -> tuple[str, ...]:
    """Return what starts a command at low priority, where there is such a thing."""
    nice = shutil.which("nice")
    return () if nice is None else (nice, "-n", "10")


def _take_its_place(candidate: Path, model: Path) -> None:
    if model.exists():
        model.rename(candidate.with_name(f"{candidate.name}-before"))
    candidate.rename(model)
