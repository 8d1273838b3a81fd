"""Decoded outputs as LSL streams, for whoever listens there: ``<session>-commands`` and others.

Each sample is stamped with the time of the newest input sample that it rests on, so that latency
can be read off a recording of both. Pushing never waits for a listener.
"""

from __future__ import annotations

import math
from typing import Any

from bci_server.safety.gate import Shape
from bci_server.wire import CommandMessage, DataMessage, PredictionMessage
from devices.liblsl import load_pylsl

__all__ = ["LslOutlets"]


class LslOutlets:
    """A sink for the loop.

    ``<session>-commands`` (float32) has a channel for each command and one named ``armed``: 1 when
    the command stands, else 0; then velocities brake to 0, a grasp that opens has its way there,
    and any other values are NaN.
    ``<session>-predictions`` (float32) has the probability of each label.
    ``<session>-decisions`` (string) has the label that was decided on.

    Parameters
    ----------
    session
        Its name.
    shape
        Of its commands; None if it gives none.
    labels
        Classes of its predictions; none for a continuous decoder.
    """

    def __init__(self, session: str, shape: Shape | None, labels: tuple[str, ...]) -> None:
        self._pylsl = load_pylsl()
        self._shape = shape
        self._commands = self._predictions = self._decisions = None
        if shape is not None:
            names = (*shape.names, "armed")
            self._commands = self._outlet(session, "commands", "Control", names, shape.unit)
        if labels:
            self._predictions = self._outlet(session, "predictions", "Prediction", labels, "1")
            self._decisions = self._outlet(session, "decisions", "Markers", ("decision",), "")

    def put(self, message: DataMessage) -> None:
        """Push what concerns LSL."""
        stamp_s = message.ledger.sampled_s
        if isinstance(message, CommandMessage):
            if self._commands is not None:
                self._commands.push_sample(self._row(message), stamp_s)
        elif isinstance(message, PredictionMessage):
            if self._predictions is not None:
                self._predictions.push_sample(list(message.probabilities), stamp_s)
            if self._decisions is not None and message.decision is not None:
                self._decisions.push_sample([message.decision], stamp_s)

    def turn(self, now_s: float) -> None:
        """Note that the loop turned; LSL keeps its own connections alive."""

    def close(self) -> None:
        """Take the streams off the network."""
        self._commands = self._predictions = self._decisions = None

    def _row(self, message: CommandMessage) -> list[float]:
        assert self._shape is not None
        stands = message.armed and message.mode != "neutral"
        neutral = 0.0 if self._shape.mode == "velocity" else math.nan
        is_told = stands or (message.mode == "neutral" and bool(message.values))
        values = message.values if is_told else (neutral,) * len(self._shape.names)
        return [*values, float(stands)]

    def _outlet(
        self, session: str, topic: str, kind: str, names: tuple[str, ...], unit: str
    ) -> Any:
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
        return lsl.StreamOutlet(info)
