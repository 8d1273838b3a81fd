"""What a client may ask on the WebSocket, version 1: all but `Auth` have an `id`, and one result.

`bci_server.wire` is what the server says, and how a conversation goes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from bci_server.wire import Topic
from decoders.feedback import problem_with

FeedbackKind = Literal["target", "label", "reward", "error", "position"]


class _Call(
    msgspec.Struct, tag_field="type", frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """What a client asks for."""

    id: Annotated[int, msgspec.Meta(ge=0)]


class Auth(msgspec.Struct, tag_field="type", frozen=True, forbid_unknown_fields=True, tag="auth"):
    """The first message of a client that could not send a header."""

    token: str


class ResumeFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last message that the client has: its epoch, and its number (or one a topic)."""

    epoch: str
    seq: int | dict[str, int]


class Subscribe(_Call, frozen=True, kw_only=True, tag="subscribe", rename={"from_": "from"}):
    """Ask for topics.

    `rate_hz` thins what may be skipped to so many messages a second; of the topic ``signal`` it is
    how many samples a second are wanted, and at least so many come.
    """

    topics: tuple[Topic, ...]
    from_: ResumeFrom | None = None
    rate_hz: Annotated[float, msgspec.Meta(gt=0)] | None = None


class Unsubscribe(_Call, frozen=True, kw_only=True, tag="unsubscribe"):
    """Ask for topics no longer."""

    topics: tuple[Topic, ...]


class Ping(_Call, frozen=True, kw_only=True, tag="ping"):
    """Ask for the server's clock; `t` is the client's own."""

    t: float = 0.0


class MarkerCall(_Call, frozen=True, kw_only=True, tag="marker"):
    """Say that something happened now; it is bound to the newest sample."""

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class FeedbackCall(_Call, frozen=True, kw_only=True, tag="feedback"):
    """Say what happened in the world; decoders that adapt learn from it.

    Parameters
    ----------
    kind
        ``target``: what there is to reach, in `values` where it is. ``label``: what was meant, a
        class in `label` or values. ``reward``: one value. ``error``: the last decision was wrong.
        ``position``: where the effector is.
    sample
        Which sample it is about; none: the newest.
    """

    kind: FeedbackKind
    label: Annotated[str, msgspec.Meta(max_length=256)] = ""
    values: Annotated[tuple[float, ...], msgspec.Meta(max_length=64)] = ()
    sample: Annotated[int, msgspec.Meta(ge=0)] | None = None

    def __post_init__(self) -> None:
        if problem := problem_with(self.kind, self.label, self.values):
            raise ValueError(problem)


class Adapt(_Call, frozen=True, kw_only=True, tag="adapt"):
    """Switch the adaptation on or off, or go back to an earlier version, which switches it off.

    ``recalibrate`` asks for what otherwise happens after so many utterances of speech.
    """

    action: Literal["on", "off", "rollback", "recalibrate"]
    version: Annotated[int, msgspec.Meta(ge=0)] | None = None

    def __post_init__(self) -> None:
        if (self.action == "rollback") != (self.version is not None):
            raise ValueError("version goes with rollback, and rollback with a version")


class Finalize(_Call, frozen=True, kw_only=True, tag="finalize"):
    """Say that what was spoken is complete: its words become final now, without a pause."""


class Reset(_Call, frozen=True, kw_only=True, tag="reset"):
    """Forget what is being spoken: its interim tokens are taken back; final ones stay."""


class Wrong(_Call, frozen=True, kw_only=True, tag="wrong"):
    """Say that the last sentence was not that; `text` is what was meant, where it is known.

    Final tokens do not change: the client rewrites what it shows, and adaptation learns from it.
    """

    text: Annotated[str, msgspec.Meta(max_length=512)] = ""


class Word(_Call, frozen=True, kw_only=True, tag="word"):
    """Add a word, such as a name: without a space, and, if it is known, how it is spoken.

    `phonemes` are of ARPAbet, without stress.
    """

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    phonemes: Annotated[tuple[str, ...], msgspec.Meta(max_length=64)] = ()

    def __post_init__(self) -> None:
        if len(self.text.split()) != 1 or self.text != self.text.strip():
            raise ValueError(f"a new word is one word, not {self.text!r}")
        if odd := [p for p in self.phonemes if len(p.split()) != 1]:
            raise ValueError(f"a phoneme is one of ARPAbet, not {odd[0]!r}")
        if problem := problem_with("speech", " ".join(("word", self.text, *self.phonemes)), ()):
            raise ValueError(problem)


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far and how fast one command may go.

    Parameters
    ----------
    value
        Largest absolute value.
    velocity
        Of a position or a grasp: largest change a second. Of clicks: how many a second.
    acceleration
        Of a velocity: largest change a second. Of a position: largest change of its velocity.
    low, high
        The workspace: of a position in its unit; of a velocity in its unit times seconds, reckoned
        from where it is armed.
    """

    value: float
    velocity: float | None = None
    acceleration: float | None = None
    low: float | None = None
    high: float | None = None


class Stimulate(_Call, frozen=True, kw_only=True, tag="stimulate"):
    """Ask for a train of charge-balanced pulses on one electrode, to be felt.

    Only whoever is armed may; beyond the limits of the session's ``[stimulation]`` it is refused.
    """

    electrode: str
    amplitude_ua: float
    pulse_width_us: float
    rate_hz: float
    duration_s: float


class Arm(_Call, frozen=True, kw_only=True, tag="arm"):
    """Ask for the lease to move the effector; each command needs a limit.

    A number is the largest absolute value, which is then reached within 100 ms at the earliest.
    """

    limits: dict[str, float | Limit] | None = None


class Renew(_Call, frozen=True, kw_only=True, tag="renew"):
    """Keep the lease."""


class Disarm(_Call, frozen=True, kw_only=True, tag="disarm"):
    """Give the lease back."""


class Stop(_Call, frozen=True, kw_only=True, tag="stop"):
    """Stop now, and stay stopped. Every authenticated client may."""


class Clear(_Call, frozen=True, kw_only=True, tag="clear"):
    """Lift a stop; leaves the session disarmed."""


Call = (
    Subscribe
    | Unsubscribe
    | Ping
    | MarkerCall
    | FeedbackCall
    | Adapt
    | Finalize
    | Reset
    | Wrong
    | Word
    | Stimulate
    | Arm
    | Renew
    | Disarm
    | Stop
    | Clear
)
"""What is asked on a line that has said who it is."""

ClientMessage = Auth | Call
