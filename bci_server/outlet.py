"""Decoded outputs as LSL streams, for whoever listens there: ``<session>-commands`` and others.

Each sample is stamped with the time of the newest input sample that it rests on, so that latency
can be read off a recording of both. Only what was said for good stands at the time at which it was
said, as a marker does. Pushing never waits for a listener.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec

from bci_server.safety.gate import Shape
from bci_server.wire import (
    CommandMessage,
    DataMessage,
    PredictionMessage,
    TokenMessage,
    VoiceMessage,
)
from devices.liblsl import load_pylsl

__all__ = ["LslOutlets", "Said"]

_OF_TOKENS = (
    "item", "text", "unit", "is_final", "segment_final", "confidence", "alternatives", "first",
    "last", "sample",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """What a session says; nothing of what is left out.

    Parameters
    ----------
    shape
        Of its commands.
    labels
        Classes of its predictions; none for a continuous decoder.
    voice, voice_unit
        Features of its voice.
    token_rate_hz
        Rate of the samples that its tokens name.
    """

    shape: Shape | None = None
    labels: tuple[str, ...] = ()
    voice: tuple[str, ...] = ()
    voice_unit: str = ""
    token_rate_hz: float | None = None


class LslOutlets:
    """A sink for the loop.

    ``<session>-commands`` (float32) has a channel for each command and one named ``armed``: 1 when
    the command stands, else 0; then velocities brake to 0, a grasp that opens has its way there,
    and any other values are NaN.
    ``<session>-predictions`` (float32) has the probability of each label.
    ``<session>-decisions`` (string) has the label that was decided on.
    ``<session>-voice`` (float32) has each feature of the voice.
    ``<session>-tokens`` (string) has the text of each final token, stamped with its last sample.
    ``<session>-token-updates`` (string) has every token, interim ones too, as JSON.

    Parameters
    ----------
    session
        Its name.
    said
        What it says.
    """

    def __init__(self, session: str, said: Said) -> None:
        self._pylsl = load_pylsl()
        self._shape, self._rate_hz = said.shape, said.token_rate_hz
        self._outlets: dict[str, Any] = {}
        if (shape := said.shape) is not None:
            self._open(session, "commands", "Control", (*shape.names, "armed"), shape.unit)
        if said.labels:
            self._open(session, "predictions", "Prediction", said.labels, "1")
            self._open(session, "decisions", "Markers", ("decision",), "")
        if said.voice:
            self._open(session, "voice", "Voice", said.voice, said.voice_unit)
        if said.token_rate_hz is not None:
            self._open(session, "tokens", "Markers", ("token",), "")
            self._open(session, "token-updates", "Markers", ("json",), "")

    def put(self, message: DataMessage) -> None:
        """Push what concerns LSL."""
        stamp_s = message.ledger.sampled_s
        match message:
            case CommandMessage():
                if self._shape is not None:
                    self._push("commands", self._row(message, self._shape), stamp_s)
            case PredictionMessage():
                self._push("predictions", list(message.probabilities), stamp_s)
                if message.decision is not None:
                    self._push("decisions", [message.decision], stamp_s)
            case VoiceMessage():
                self._push("voice", list(message.values), stamp_s)
            case TokenMessage():
                self._token(message, stamp_s)

    def turn(self, now_s: float) -> None:
        """Note that the loop turned; LSL keeps its own connections alive."""

    def close(self) -> None:
        """Take the streams off the network."""
        self._outlets.clear()

    def _push(self, topic: str, row: list[Any], stamp_s: float) -> None:
        if (outlet := self._outlets.get(topic)) is not None:
            outlet.push_sample(row, stamp_s)

    def _token(self, token: TokenMessage, stamp_s: float) -> None:
        if self._rate_hz is None:
            return
        told = {name: getattr(token, name) for name in _OF_TOKENS}
        self._push("token-updates", [msgspec.json.encode(told).decode()], stamp_s)
        if token.is_final and token.text:
            # No gap lies between: one would have taken back what was not final.
            ago_s = (token.sample - token.last) / self._rate_hz if token.last >= 0 else 0.0
            self._push("tokens", [token.text], stamp_s - ago_s)

    def _row(self, message: CommandMessage, shape: Shape) -> list[float]:
        stands = message.armed and message.mode != "neutral"
        neutral = 0.0 if shape.mode == "velocity" else math.nan
        is_told = stands or (message.mode == "neutral" and bool(message.values))
        values = message.values if is_told else (neutral,) * len(shape.names)
        return [*values, float(stands)]

    def _open(self, session: str, topic: str, kind: str, names: tuple[str, ...], unit: str) -> None:
        lsl = self._pylsl
        as_text = kind == "Markers"
        info = lsl.StreamInfo(
            f"{session}-{topic}",
            kind,
            len(names),
            lsl.IRREGULAR_RATE,
            lsl.cf_string if as_text else lsl.cf_float32,
            f"bci-server:{session}:{topic}",
        )
        channels = info.desc().append_child("channels")
        for name in names:
            channel = channels.append_child("channel")
            channel.append_child_value("label", name)
            channel.append_child_value("unit", unit)
        self._outlets[topic] = lsl.StreamOutlet(info)
