"""What the server says on the WebSocket, version 1; `bci_server.calls` is what a client asks.

Both are the one source of the contract: the AsyncAPI document and the JSON Schemas are made from
these types, and the same types carry messages from the engine to the web process. A conversation::

    server  hello
    client  auth?  subscribe                  → result
    server  command | token | prediction | signal | features | status | marker …
    client  ping | marker | arm | renew | …   → result
    server  error                             what was expected, then a close code
"""

from __future__ import annotations

from typing import Literal

import msgspec

from decoders.output import Mode
from devices.signal import EventKind

Quality = Literal["good", "degraded", "bad"]
SessionState = Literal["idle", "starting", "running", "stalled", "ended", "failed"]
Topic = Literal[
    "commands",
    "tokens",
    "predictions",
    "voice",
    "features",
    "signal",
    "status",
    "markers",
    "versions",
]
NeutralReason = Literal[
    "",
    "disarmed",
    "starting",
    "stale",
    "stalled",
    "bad_signal",
    "low_confidence",
    "too_fast",
    "out_of_order",
    "other_stream",
    "decoder_failed",
    "audit_failed",
    "failed",
    "engine_lost",
    "stopped",
    "ended",
]
SafetyState = Literal["disarmed", "armed", "active", "hold", "fault", "stop"]


class Ledger(msgspec.Struct, frozen=True):
    """When it happened, in seconds on the server's monotonic clock.

    Parameters
    ----------
    sampled_s
        The newest sample used was taken: its stamp, brought onto this clock.
    received_s
        It reached the engine.
    decoded_s
        The decoder was done.
    published_s
        It was handed to the sockets.
    """

    sampled_s: float
    received_s: float
    decoded_s: float
    published_s: float = 0.0


class DecoderName(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which decoder spoke: its kind, the version of its artifact, the artifact's hash.

    `language` is the hash of the language that makes words of phonemes; left out without one.
    """

    name: str
    version: str
    hash: str
    language: str = ""


class _Data(msgspec.Struct, tag_field="type", frozen=True, kw_only=True):
    """What every data message has. `seq` has no gap within an epoch and a topic."""

    topic: Topic
    seq: int = 0
    sample: int
    ledger: Ledger
    quality: Quality = "good"
    decoder: DecoderName | None = None


class CommandMessage(_Data, frozen=True, kw_only=True, tag="command"):
    """What an effector should do now. Delivery: newest wins.

    The effector goes neutral by itself when `ttl_ms` has passed since it was decided: each value
    goes to that of `rest`, by no more than `slopes` a second; where `rest` is empty it stays. A
    neutral command's own values are on that way. `decoded` is what the decoder said before the
    gate: for displays, never for effectors.

    Parameters
    ----------
    safety, reason
        Where the gate stands; why the command is neutral.
    lease
        Which lease the command rests on; changes with each `arm`. 0: none.
    rest
        What neutral leads to, a value for each name; empty: everything stays as it is.
    slopes
        Largest change of each value a second. Empty before somebody was armed.
    mac
        HMAC-SHA256, where the server has a key; `bci_server.safety.seal` says of what.
    """

    mode: Mode
    names: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    confidence: float
    ttl_ms: float
    armed: bool
    reason: NeutralReason = ""
    decoded: tuple[float, ...] = ()
    safety: SafetyState = "disarmed"
    lease: int = 0
    rest: tuple[float, ...] = ()
    slopes: tuple[float, ...] = ()
    mac: str = ""


class AlternativeMessage(msgspec.Struct, frozen=True):
    """Another reading of a token."""

    text: str
    confidence: float


class TokenMessage(_Data, frozen=True, kw_only=True, tag="token"):
    """A piece of speech. Interim: newest wins, by item; final: in order, never skipped.

    An interim token with an empty text takes back its item. `first` and `last` are the samples at
    which it begins and ends; -1: not known.
    """

    item: int
    text: str
    unit: Literal["phoneme", "character", "word"]
    is_final: bool
    segment_final: bool
    confidence: float
    alternatives: tuple[AlternativeMessage, ...] = ()
    first: int = -1
    last: int = -1


class PredictionMessage(_Data, frozen=True, kw_only=True, tag="prediction"):
    """How likely each class is. Newest wins, but one with a decision is never skipped."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    decision: str | None = None
    cue_sample: int | None = None


class VoiceMessage(_Data, frozen=True, kw_only=True, tag="voice"):
    """What a voice sounds like for the length of a block; for a vocoder. In order.

    A client that falls behind by more than 64 frames loses all that wait, at once, and goes on with
    what is said now: `dropped` counts them. Whoever speaks it decides to; the server never does.
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    dropped: int = 0


class SignalMessage(_Data, frozen=True, kw_only=True, tag="signal"):
    """Samples for a display, decimated; needs the scope ``raw``. Drop-oldest, counted.

    What is no number is null.
    """

    channels: tuple[str, ...]
    unit: str
    rate_hz: float
    values: tuple[tuple[float | None, ...], ...]
    dropped: int = 0


class FeaturesMessage(_Data, frozen=True, kw_only=True, tag="features"):
    """What the steps put out, for a display; needs the scope ``raw``. Drop-oldest, counted.

    What is no number is null.
    """

    names: tuple[str, ...]
    values: tuple[float | None, ...]
    dropped: int = 0


class MarkerMessage(_Data, frozen=True, kw_only=True, tag="marker"):
    """Something that happened, bound to a sample. In order, nothing skipped.

    `kind` is ``marker``, or says what feedback it was; `values` are its numbers.
    """

    label: str
    source: str
    kind: EventKind = "marker"
    values: tuple[float, ...] = ()


class VersionMessage(_Data, frozen=True, kw_only=True, tag="version"):
    """Which version of a decoder that adapts says what follows. In order, nothing skipped.

    See `decoders.output.Adapted`: `first` and `last` are the samples that taught it.
    """

    version: int
    hash: str
    parent: int
    reason: str
    first: int
    last: int
    n_rows: int
    n_labels: int


class ChannelHealth(msgspec.Struct, frozen=True):
    """How one channel is doing."""

    name: str
    quality: Quality
    reason: str = ""


class Percentiles(msgspec.Struct, frozen=True):
    """Milliseconds over the last minute."""

    p50: float
    p99: float
    p999: float


class RecordingStatus(msgspec.Struct, frozen=True):
    """How the recording is doing: its file's name, samples written, samples that could not be."""

    file: str
    n_samples: int
    n_lost: int


class StatusMessage(_Data, frozen=True, kw_only=True, tag="status"):
    """How the session is doing. In order, nothing skipped.

    Parameters
    ----------
    state, reason
        Where the session is, and why, if it failed or stalled.
    sample_age_ms
        Age of the newest sample.
    latency_ms
        Each span of the ledger, over the last minute: ``"received_decoded"`` and so on.
    n_jumps
        Jumps of the sender's clock; for a moment after one, commands are neutral (``"stale"``) and
        ``"unsound_times"`` is among the alarms.
    scheduling
        How the engine is scheduled: ``"fifo"``, ``"nice"`` or ``"normal"``.
    """

    session: str
    state: SessionState
    reason: str = ""
    armed: bool = False
    safety: SafetyState = "disarmed"
    device: str = ""
    unit: str = ""
    channels: tuple[ChannelHealth, ...] = ()
    rate_hz: float = 0.0
    effective_rate_hz: float = 0.0
    clock_offset_s: float = 0.0
    sample_age_ms: float | None = None
    n_gaps: int = 0
    n_lost: int = 0
    n_jumps: int = 0
    deadline_misses: int = 0
    latency_ms: dict[str, Percentiles] = {}
    scheduling: str = ""
    alarms: tuple[str, ...] = ()
    recording: RecordingStatus | None = None


class Hello(msgspec.Struct, tag_field="type", frozen=True, kw_only=True, tag="hello"):
    """The first message. `epoch` changes when the session restarts."""

    protocol: Literal["bci.v1"]
    server: str
    session: str
    epoch: str
    clock_s: float
    topics: tuple[Topic, ...]
    capabilities: tuple[str, ...]


class Result(msgspec.Struct, tag_field="type", frozen=True, kw_only=True, tag="result"):
    """The one answer to a client's message with this `id`.

    `epoch` and `seqs` answer a subscription: the numbers of the newest messages at that moment,
    from which to resume even if none has come yet.
    """

    id: int
    ok: bool
    recovered: bool | None = None
    epoch: str | None = None
    seqs: dict[str, int] | None = None
    server_s: float | None = None
    sample: int | None = None
    lease_ms: float | None = None
    error: str | None = None
    fix: str | None = None


class ErrorMessage(msgspec.Struct, tag_field="type", frozen=True, kw_only=True, tag="error"):
    """What went wrong, and how to mend it; a close code may follow."""

    code: str
    cause: str
    fix: str


DataMessage = (
    CommandMessage
    | TokenMessage
    | PredictionMessage
    | VoiceMessage
    | SignalMessage
    | FeaturesMessage
    | MarkerMessage
    | StatusMessage
    | VersionMessage
)
ServerMessage = Hello | Result | ErrorMessage | DataMessage
