"""Replays that are served can be paused, sped up and moved; whatever is live cannot."""

from __future__ import annotations

import math
from dataclasses import replace

from bci_server.config import BadSession, Session
from bci_server.control import Answer, SteerReplay
from devices.device import Steered, Stream

__all__ = ["from_start", "steer", "why_stalled"]

_FASTEST = 1000.0


def steer(stream: Stream, control: SteerReplay) -> Answer:
    """Do what is asked of a replay, or say why it cannot be done."""
    if not isinstance(stream, Steered):
        return Answer(
            call=control.call,
            ok=False,
            error=f"{stream.identity or 'the device'} is no replay: what is live cannot be steered",
            fix="serve a session whose device is a recording: kind = 'replay'",
        )
    speed = control.speed
    if speed is not None:
        if not 0 < speed <= _FASTEST or math.isnan(speed):
            return Answer(
                call=control.call,
                ok=False,
                error=f"a replay cannot be served at {speed:g} times its speed",
                fix=f"ask for more than 0, and at most {_FASTEST:g}",
            )
        stream.set_speed(speed)
    if control.paused is not None:
        stream.pause() if control.paused else stream.resume()
    return Answer(call=control.call, ok=True)


def why_stalled(stream: Stream, device: str, stall_s: float) -> str:
    """Say why no samples come."""
    if isinstance(stream, Steered) and stream.is_paused:
        return "the replay is paused"
    return f"no samples from {device} for {1e3 * stall_s:.0f} ms"


def from_start(session: Session, start_s: float) -> Session:
    """Return the session with its replay begun at `start_s`.

    Raises
    ------
    BadSession
        Its device is no replay, or has no such place.
    """
    from devices.adapters.replay import Replay

    if not isinstance(session.device, Replay):
        raise BadSession(session.name, ("its device is no replay, so it has no other beginning",))
    try:
        return session.with_device(replace(session.device, start_s=start_s))
    except ValueError as e:
        raise BadSession(session.name, (str(e),)) from e
