"""A session's device is looked for until it is there; meanwhile it is said what is waited for."""

from __future__ import annotations

import threading
from typing import Self

from bci_server.config import Session
from bci_server.link.engine_end import EngineEnd
from bci_server.wire import Ledger, SessionState, StatusMessage
from devices.clock import Clock
from devices.device import DeviceNotFound, Stream

__all__ = ["open_device", "without_samples"]

_LOOK_AGAIN_S = 0.5
_SAY_AGAIN_S = 0.5


def open_device(session: Session, end: EngineEnd, clock: Clock) -> Stream | None:
    """Look for the device until it is there; None if somebody asks to shut down before."""
    with _Starting(session.name, end, clock) as starting:
        while not end.wait_for_shutdown(0):
            try:
                return session.device.open(clock)
            except DeviceNotFound as e:
                starting.say(f"waiting: {e}")
            if end.wait_for_shutdown(_LOOK_AGAIN_S):
                break
    return None


class _Starting:
    """Says why it does not run yet, and again each half second: to open a device takes seconds."""

    def __init__(self, name: str, end: EngineEnd, clock: Clock) -> None:
        self._name, self._end, self._clock = name, end, clock
        self._reason = "opening the device"
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="starting", daemon=True)

    def say(self, reason: str) -> None:
        self._reason = reason
        self._end.put(without_samples(self._name, "starting", reason, self._clock))

    def __enter__(self) -> Self:
        self.say(self._reason)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _repeat(self) -> None:
        while not self._is_over.wait(_SAY_AGAIN_S):
            self.say(self._reason)


def without_samples(name: str, state: SessionState, reason: str, clock: Clock) -> StatusMessage:
    """Return the status of a session that has no samples yet, or will have none."""
    now_s = clock.now()
    return StatusMessage(
        topic="status",
        sample=-1,
        ledger=Ledger(now_s, now_s, now_s),
        session=name,
        state=state,
        reason=reason,
    )
