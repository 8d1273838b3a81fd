"""What decoders say, as messages of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bci_server.control import Answer
from bci_server.recording.state import RecordingRefused, RecordingState
from bci_server.wire import (
    AlternativeMessage,
    ChannelHealth,
    DecoderName,
    Ledger,
    MarkerMessage,
    PredictionMessage,
    Quality,
    RecordingStatus,
    TokenMessage,
    VersionMessage,
    VoiceMessage,
)
from decoders.decoder import Event
from decoders.lost_channels import Reason
from decoders.output import Adapted, Prediction, Token, Voice
from decoders.pipeline import Decoded

__all__ = [
    "channel_health",
    "marker_message",
    "prediction_message",
    "quality_of",
    "recording_answer",
    "recording_status",
    "token_message",
    "version_message",
    "voice_message",
]

_REASONS: Mapping[Reason, str] = {
    "not finite": "values are not finite",
    "flat": "does not change",
}


def prediction_message(
    said: Prediction, sample: int, ledger: Ledger, quality: Quality, decoder: DecoderName
) -> PredictionMessage:
    """Return the message of a prediction that rests on samples up to `sample`."""
    return PredictionMessage(
        topic="predictions",
        sample=sample,
        ledger=ledger,
        quality=quality,
        decoder=decoder,
        labels=said.labels,
        probabilities=said.probabilities,
        decision=said.decision,
        cue_sample=said.cue_sample,
    )


def token_message(
    said: Token, sample: int, ledger: Ledger, quality: Quality, decoder: DecoderName
) -> TokenMessage:
    """Return the message of a token that rests on samples up to `sample`."""
    return TokenMessage(
        topic="tokens",
        sample=sample,
        ledger=ledger,
        quality=quality,
        decoder=decoder,
        item=said.item,
        text=said.text,
        unit=said.unit,
        is_final=said.is_final,
        segment_final=said.segment_final,
        confidence=said.confidence,
        alternatives=tuple(AlternativeMessage(a.text, a.confidence) for a in said.alternatives),
        first=said.first,
        last=said.last,
    )


def voice_message(
    said: Voice, sample: int, ledger: Ledger, quality: Quality, decoder: DecoderName
) -> VoiceMessage:
    """Return the message of a voice that rests on samples up to `sample`."""
    return VoiceMessage(
        topic="voice",
        sample=sample,
        ledger=ledger,
        quality=quality,
        decoder=decoder,
        names=said.names,
        values=said.values,
        unit=said.unit,
    )


def marker_message(event: Event, ledger: Ledger) -> MarkerMessage:
    """Return the message of an event; `ledger` is that of the block that made it known."""
    return MarkerMessage(
        topic="markers",
        sample=event.sample,
        ledger=ledger,
        label=event.label,
        source=event.source,
        kind=event.kind,
        values=event.values,
    )


def version_message(
    said: Adapted, sample: int, ledger: Ledger, decoder: DecoderName
) -> VersionMessage:
    """Return the message of a change of version at `sample`."""
    return VersionMessage(
        topic="versions",
        sample=sample,
        ledger=ledger,
        decoder=decoder,
        version=said.version,
        hash=said.hash,
        parent=said.parent,
        reason=said.reason,
        first=said.first,
        last=said.last,
        n_rows=said.n_rows,
        n_labels=said.n_labels,
    )


def quality_of(decoded: Decoded, contact: Quality) -> Quality:
    """Return how good the samples of a block are: bad ones were not decoded, or no signal is."""
    if decoded.bad_channels or contact == "bad":
        return "bad"
    return "degraded" if decoded.lost_channels else contact


def channel_health(
    channels: tuple[str, ...],
    lost: Mapping[str, Reason],
    is_filled_in: bool,
    contact: Mapping[str, str],
) -> tuple[ChannelHealth, ...]:
    """Return how each channel is doing: those in `lost` and `contact` are bad, and why."""
    so = "; filled in" if is_filled_in else ""
    bad = {**contact, **{c: _REASONS[reason] + so for c, reason in lost.items()}}
    return tuple(
        ChannelHealth(c, "bad", bad[c]) if c in bad else ChannelHealth(c, "good") for c in channels
    )


def recording_status(state: RecordingState) -> RecordingStatus | None:
    """Return what the status says of a recording; None while there is none."""
    if state.path is None:
        return None
    return RecordingStatus(state.path.name, state.n_samples, state.n_lost)


def recording_answer(call: int, result: Path | RecordingRefused | None) -> Answer:
    """Return the answer to who asked to start or stop a recording."""
    if isinstance(result, RecordingRefused):
        return Answer(call=call, ok=False, error=str(result), fix=result.fix)
    return Answer(call=call, ok=True, file=None if result is None else str(result))
