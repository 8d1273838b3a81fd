"""What one client says, and the one answer that each of its messages gets.

A conversation knows what its client may do and what it has subscribed to; it reads and writes no
socket. A message that cannot be understood ends it: `NotUnderstood` says what was expected.
"""

from __future__ import annotations

import secrets
from typing import NoReturn, assert_never

import msgspec
import structlog

from bci_server.calls import (
    Adapt,
    Arm,
    Auth,
    Clear,
    ClientMessage,
    Disarm,
    FeedbackCall,
    Finalize,
    MarkerCall,
    Ping,
    Renew,
    Reset,
    Stimulate,
    Stop,
    Subscribe,
    Unsubscribe,
    Word,
    Wrong,
)
from bci_server.control import (
    ArmLease,
    ClearStop,
    Control,
    DisarmLease,
    GiveStimulus,
    Mark,
    RenewLease,
    StopNow,
)
from bci_server.link.web_end import LinkLost
from bci_server.web.auth import Grant, Scope, Tokens
from bci_server.web.delivery import Encoded, Encoding
from bci_server.web.hub import RAW_TOPICS, TOPICS
from bci_server.web.live import Live
from bci_server.web.outbox import Listener
from bci_server.wire import ErrorMessage, Result

__all__ = ["BAD_MESSAGE", "UNAUTHORIZED", "WRONG_DATA", "Conversation", "NotUnderstood", "decode"]

WRONG_DATA = 1003
BAD_MESSAGE = 4400
UNAUTHORIZED = 4401

_SpeechCall = Finalize | Reset | Wrong | Word
_NEEDS_CONTROL = (
    *(MarkerCall, FeedbackCall, Adapt, Finalize, Reset, Wrong, Word),
    *(Stimulate, Arm, Renew, Disarm, Clear),
)
_EngineCall = (
    MarkerCall
    | FeedbackCall
    | Adapt
    | _SpeechCall
    | Stimulate
    | Arm
    | Renew
    | Disarm
    | Stop
    | Clear
)
_TYPES = (
    "auth, subscribe, unsubscribe, ping, marker, feedback, adapt, finalize, reset, wrong, word, "
    "stimulate, arm, renew, disarm, stop, clear"
)

_log = structlog.get_logger(__name__)

_from_json = msgspec.json.Decoder(ClientMessage).decode
_from_msgpack = msgspec.msgpack.Decoder(ClientMessage).decode


class NotUnderstood(Exception):
    """The conversation ends: the error to send, and the code to close with."""

    def __init__(self, code: int, error: ErrorMessage) -> None:
        super().__init__(error.cause)
        self.code = code
        self.error = error


def decode(received: str | bytes, encoding: Encoding) -> ClientMessage:
    """Return the message that a client sent.

    Raises
    ------
    NotUnderstood
        It is none of the protocol's, or not in this encoding.
    """
    if isinstance(received, str) != encoding.is_text:
        sent, expected = ("binary", "text") if encoding.is_text else ("text", "binary")
        _refuse(
            WRONG_DATA,
            "wrong_encoding",
            f"a {sent} frame on {encoding.subprotocol}",
            f"send {expected} frames, or ask for the other subprotocol when connecting",
        )
    try:
        # The one of the two that fits was just made sure of.
        return _from_json(received) if encoding.is_text else _from_msgpack(received)  # type: ignore[arg-type]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        _refuse(
            BAD_MESSAGE,
            "bad_message",
            f"the message was not understood: {error}",
            f"`type` is one of {_TYPES}; topics are {', '.join(TOPICS)}; "
            "every field is in /v1/asyncapi.json",
        )


def unauthorized(cause: str) -> NotUnderstood:
    """Return the end of a conversation with somebody who may not have one."""
    return NotUnderstood(
        UNAUTHORIZED,
        ErrorMessage(
            code="unauthorized",
            cause=cause,
            fix="send the header `Authorization: Bearer TOKEN`, a fresh ticket from "
            'POST /v1/tickets, or first {"type":"auth","token":"TOKEN"}; '
            "`bci serve` says where the token is",
        ),
    )


class Conversation:
    """One client's part of a session.

    Parameters
    ----------
    live
        The session.
    grant
        What the client may do.
    tokens
        Judge a token that is sent later.
    listener
        Where its messages go.
    """

    def __init__(self, live: Live, grant: Grant, tokens: Tokens, listener: Listener) -> None:
        self._live = live
        self._grant = grant
        self._tokens = tokens
        self._listener = listener
        self._holder = f"{grant.name}:{secrets.token_hex(8)}"

    def open(self) -> None:
        """Greet the client."""
        _log.info("client connected", session=self._live.name, token=self._grant.name)
        self._live.clients.add(self._listener)
        self._listener.push(Encoded(self._live.hello()))

    def close(self) -> None:
        """Take in that the client has gone."""
        self._live.left(self._listener, self._holder)
        _log.info("client left", session=self._live.name, token=self._grant.name)

    async def hear(self, message: ClientMessage) -> None:
        """Carry out what the client asks, and answer.

        Raises
        ------
        NotUnderstood
            It sent a wrong token.
        """
        if isinstance(message, Auth):
            if self._tokens.grant(message.token) is None:
                raise unauthorized("the token is wrong")
            return
        missing = self._missing_scope(message)
        if missing is not None:
            self._answer(_forbidden(message.id, missing))
        elif isinstance(message, Subscribe):
            self._subscribe(message)
        elif isinstance(message, Unsubscribe):
            self._live.hub.unsubscribe(self._listener, message.topics)
            self._live.watch()
            self._answer(Result(id=message.id, ok=True))
        elif isinstance(message, Ping):
            self._answer(Result(id=message.id, ok=True, server_s=self._live.hub.clock.now()))
        else:
            self._answer(await self._ask_engine(message))

    def _answer(self, result: Result) -> None:
        self._listener.push(Encoded(result))

    def _missing_scope(self, message: ClientMessage) -> Scope | None:
        scopes = self._grant.scopes
        if isinstance(message, _NEEDS_CONTROL) and "control" not in scopes:
            return "control"
        if isinstance(message, Subscribe):
            if "raw" not in scopes and RAW_TOPICS.intersection(message.topics):
                return "raw"
            if "view" not in scopes:
                return "view"
        return None

    def _subscribe(self, message: Subscribe) -> None:
        hub, topics = self._live.hub, tuple(dict.fromkeys(message.topics))
        recovered: bool | None = None
        missed: list[Encoded] = []
        if message.from_ is not None:
            recovered, missed = hub.missed(topics, message.from_)
        self._answer(
            Result(
                id=message.id, ok=True, recovered=recovered, epoch=hub.epoch, seqs=hub.seqs(topics)
            )
        )
        self._listener.push_missed(missed)
        hub.subscribe(self._listener, topics, message.rate_hz)
        self._live.watch()

    async def _ask_engine(self, message: _EngineCall) -> Result:
        live = self._live
        if isinstance(message, Stop):
            # The effector need not wait for the engine to agree.
            live.stop()
        try:
            answer = await live.engine.call(self._control(message))
        except LinkLost as lost:
            return Result(
                id=message.id,
                ok=False,
                error=f"session {live.name}: {lost}",
                fix=f"the session is {live.state}; start it with "
                f"POST /v1/sessions/{live.name}/start, or see the log of `bci serve`",
            )
        if answer.ok and isinstance(message, Arm):
            live.given(self._holder, answer.lease)
        elif answer.ok and isinstance(message, Disarm) and live.holder == self._holder:
            live.holder = None
        return Result(
            id=message.id,
            ok=answer.ok,
            sample=answer.sample,
            lease_ms=answer.lease_ms,
            error=answer.error,
            fix=answer.fix,
        )

    def _control(self, message: _EngineCall) -> Control:
        match message:
            case MarkerCall():
                return Mark(label=message.label)
            case FeedbackCall():
                return Mark(
                    label=message.label,
                    kind=message.kind,
                    values=message.values,
                    sample=message.sample,
                )
            case Adapt():
                version = () if message.version is None else (float(message.version),)
                return Mark(label=message.action, kind="adapt", values=version)
            case Finalize() | Reset() | Wrong() | Word():
                return Mark(label=_asked(message), kind="speech")
            case Stimulate():
                return GiveStimulus(
                    holder=self._holder,
                    electrode=message.electrode,
                    amplitude_ua=message.amplitude_ua,
                    pulse_width_us=message.pulse_width_us,
                    rate_hz=message.rate_hz,
                    duration_s=message.duration_s,
                )
            case Arm():
                return ArmLease(holder=self._holder, limits=message.limits)
            case Renew():
                return RenewLease(holder=self._holder)
            case Disarm():
                return DisarmLease(holder=self._holder)
            case Stop():
                return StopNow(holder=self._holder)
            case Clear():
                return ClearStop(holder=self._holder)
        assert_never(message)


def _asked(call: _SpeechCall) -> str:
    """Return what is asked of a language, as the label of an event; see `decoders.feedback`."""
    match call:
        case Finalize():
            return "finalize"
        case Reset():
            return "reset"
        case Wrong():
            return " ".join(["wrong", *call.text.split()])
        case Word():
            return " ".join(["word", call.text, *call.phonemes])
    assert_never(call)


def _forbidden(id_: int, scope: Scope) -> Result:
    return Result(
        id=id_,
        ok=False,
        error=f"this needs the scope `{scope}`, which the token does not have",
        fix="use a token that has it; BCI_TOKENS says what each token may do",
    )


def _refuse(close_code: int, code: str, cause: str, fix: str) -> NoReturn:
    raise NotUnderstood(close_code, ErrorMessage(code=code, cause=cause, fix=fix))
