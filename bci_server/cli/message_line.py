"""One message as one line for a person."""

from __future__ import annotations

from collections.abc import Sequence

from bci_server.wire import (
    CommandMessage,
    DataMessage,
    FeaturesMessage,
    MarkerMessage,
    PredictionMessage,
    SignalMessage,
    StatusMessage,
    TokenMessage,
    VersionMessage,
    VoiceMessage,
)

__all__ = ["bar", "message_line", "status_words"]

_MOST_CLASSES = 12
_LIKELIEST = 3
"""Of more classes than fit on a line, so many are shown."""


def message_line(message: DataMessage, age_s: float) -> str:
    """Return `message`, whose newest sample is `age_s` old, as one line."""
    return f"{message.topic:<11} #{message.seq:<6} {_words(message)}   ({age_s * 1e3:.1f} ms old)"


def bar(share: float, width: int = 20) -> str:
    """Return `share`, 0 to 1, as a bar of `width` characters."""
    full = round(min(1.0, max(0.0, share)) * width)
    return "█" * full + "·" * (width - full)


def status_words(status: StatusMessage) -> str:
    """Return where a session is and how it does, in words."""
    words = [status.state + (f" ({status.reason})" if status.reason else "")]
    words.append("armed" if status.armed else "disarmed")
    if status.effective_rate_hz:
        words.append(f"{status.effective_rate_hz:.4g} of {status.rate_hz:.4g} Hz")
    words += [
        f"{span.replace('_', '→')} p50 {p.p50:.2f} p99 {p.p99:.2f} ms"
        for span, p in status.latency_ms.items()
    ]
    if status.n_lost:
        words.append(f"{status.n_lost} samples lost")
    if status.deadline_misses:
        words.append(f"{status.deadline_misses} deadlines missed")
    return " · ".join([*words, *status.alarms])


def _words(message: DataMessage) -> str:
    match message:
        case PredictionMessage():
            return _prediction(message)
        case CommandMessage():
            return _command(message)
        case TokenMessage():
            return _token(message)
        case MarkerMessage():
            return f"{_event(message)} at sample {message.sample} ({message.source})"
        case StatusMessage():
            return status_words(message)
        case SignalMessage():
            return f"{len(message.values)} samples × {len(message.channels)} ch, {message.unit}"
        case VersionMessage():
            return f"version {message.version} ({message.hash}): {message.reason}"
        case FeaturesMessage() | VoiceMessage():
            return _named(message.names, message.values)


def _token(message: TokenMessage) -> str:
    if not message.text:
        return f"item {message.item} taken back"
    end = " ." if message.segment_final else ""
    unsure = "" if message.is_final else " …"
    return f"{message.text!r} ({message.unit}, {message.confidence:.2f}){unsure}{end}"


def _event(message: MarkerMessage) -> str:
    kind = "" if message.kind == "marker" else message.kind
    words = [word for word in (kind, message.label) if word]
    return " ".join([*words, *(f"{v:g}" for v in message.values)])


def _prediction(message: PredictionMessage) -> str:
    said = list(zip(message.labels, message.probabilities, strict=True))
    if len(said) > _MOST_CLASSES:
        said = sorted(said, key=lambda each: -each[1])[:_LIKELIEST]
    shares = "  ".join(f"{label} {p:.2f} {bar(p, 10)}" for label, p in said)
    return shares if message.decision is None else f"{shares}  decided: {message.decision}"


def _command(message: CommandMessage) -> str:
    moved = f"{_named(message.names, message.values)} {message.unit}"
    why = f" ({message.reason})" if message.reason else ""
    decoded = f"; decoded {_named(message.names, message.decoded)}" if message.decoded else ""
    return f"{message.mode}{why} {'armed' if message.armed else 'disarmed'} {moved}{decoded}"


def _named(names: Sequence[str], values: Sequence[float | None]) -> str:
    return " ".join(
        f"{n}={'none' if v is None else f'{v:+.3g}'}" for n, v in zip(names, values, strict=False)
    )
