"""What an application may ask of a session, each as a method; whoever has a line sends them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from bci_server.calls import (
    Adapt,
    Arm,
    Call,
    Clear,
    Disarm,
    FeedbackCall,
    FeedbackKind,
    Finalize,
    Limit,
    MarkerCall,
    Reset,
    Stimulate,
    Stop,
    Word,
    Wrong,
)
from bci_server.client.lease import Lease
from bci_server.wire import Result

__all__ = ["Calls"]


class Calls(ABC):
    """The calls of a client, on top of `ask`."""

    @abstractmethod
    async def ask(self, call: Call) -> Result:
        """Send a call under a number of its own, and return its result.

        Raises
        ------
        CallRefused
            The server did not do it; says why.
        Unreachable
            The connection is down, or broke before the answer came.
        """

    def armed(self, limits: dict[str, float | Limit] | None = None) -> Lease:
        """Hold the lease to move the effector for the time of an ``async with``."""
        return Lease(self, limits)

    async def arm(self, limits: dict[str, float | Limit] | None = None) -> Result:
        """Take the lease; it must be renewed within ``lease_ms``. See `armed`."""
        return await self.ask(Arm(id=0, limits=limits))

    async def disarm(self) -> None:
        """Give the lease back."""
        await self.ask(Disarm(id=0))

    async def stop(self) -> None:
        """Stop the effector; it stays stopped until `clear`."""
        await self.ask(Stop(id=0))

    async def clear(self) -> None:
        """Lift a stop."""
        await self.ask(Clear(id=0))

    async def marker(self, label: str) -> int | None:
        """Say that something happened now, and return the sample it was bound to."""
        return (await self.ask(MarkerCall(id=0, label=label))).sample

    async def feedback(
        self,
        kind: FeedbackKind,
        label: str = "",
        values: Sequence[float] = (),
        sample: int | None = None,
    ) -> int | None:
        """Say what happened in the world, and return the sample it was bound to.

        Parameters
        ----------
        kind
            ``"target"``, ``"label"``, ``"reward"``, ``"error"`` or ``"position"``.
        label, values
            What: a name, and numbers such as where a target is.
        sample
            Which sample it is about, as a message gave it; None: the newest.

        Raises
        ------
        ValueError
            Such feedback lacks what it needs; says what.
        """
        call = FeedbackCall(id=0, kind=kind, label=label, values=tuple(values), sample=sample)
        return (await self.ask(call)).sample

    async def adapt(
        self,
        action: Literal["on", "off", "rollback", "recalibrate"],
        version: int | None = None,
    ) -> None:
        """Switch the adaptation, roll back to an earlier version, or ask to recalibrate now."""
        await self.ask(Adapt(id=0, action=action, version=version))

    async def finalize(self) -> int | None:
        """Make final what is being spoken, and return the sample that this was bound to.

        Raises
        ------
        CallRefused
            As for all that is asked about speech: the session makes no words of it.
        """
        return (await self.ask(Finalize(id=0))).sample

    async def reset(self) -> int | None:
        """Forget what is being spoken, and return the sample that this was bound to."""
        return (await self.ask(Reset(id=0))).sample

    async def wrong(self, text: str = "") -> int | None:
        """Say that the last sentence was not that, and, if it is known, what it was."""
        return (await self.ask(Wrong(id=0, text=text))).sample

    async def word(self, text: str, phonemes: Sequence[str] = ()) -> int | None:
        """Teach a word, such as a name, and how it is spoken: ``("K", "AH", "M")``.

        Raises
        ------
        ValueError
            It is not one word, or these are no phonemes of ARPAbet.
        """
        return (await self.ask(Word(id=0, text=text, phonemes=tuple(phonemes)))).sample

    async def stimulate(
        self,
        electrode: str,
        amplitude_ua: float,
        pulse_width_us: float,
        rate_hz: float,
        duration_s: float,
    ) -> int | None:
        """Let somebody feel a train of pulses, and return the sample it was bound to.

        Raises
        ------
        CallRefused
            This client is not armed, or the train is beyond the session's limits.
        """
        asked = Stimulate(
            id=0,
            electrode=electrode,
            amplitude_ua=amplitude_ua,
            pulse_width_us=pulse_width_us,
            rate_hz=rate_hz,
            duration_s=duration_s,
        )
        return (await self.ask(asked)).sample
