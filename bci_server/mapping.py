"""Commands from what is decoded: the ``[commands]`` section of the session file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from decoders.output import Command, Mode, Output, Prediction, Token

__all__ = ["Commanding", "Commands"]


@dataclass(frozen=True)
class Commands:
    """What each class means for the effector, where the decoder only says how likely it is.

    The command is the mean of the classes' values, weighted by their probabilities:
    ``value = Σ p_i v_i``; its confidence is the largest probability. Classes without values
    weigh in as zeros.

    Parameters
    ----------
    names
        The degrees of freedom.
    values
        For each class, one value a name: ``{ left = [-1.0], right = [1.0] }``.
    mode, unit
        What the values mean.
    on
        ``"probabilities"``: a command each block. ``"decisions"``: one with each decision of a
        trial that was cued after arming, or of none, with the values of what was decided (where a
        block has several, of the newest); between them commands are neutral. ``"words"``, of a
        decoder of speech with a language: one with each final word that has values, and that was
        begun to be said after arming; its confidence is the word's.
    hold_s
        The command of a word stands for so long.
    """

    names: tuple[str, ...]
    values: Mapping[str, tuple[float, ...]]
    mode: Mode = "velocity"
    unit: str = "1"
    on: Literal["probabilities", "decisions", "words"] = "probabilities"
    hold_s: float = 0.2

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError(f"names must be unique and at least one; they are {self.names}")
        if self.mode == "neutral":
            raise ValueError("mode says what the values mean; neutral means none")
        if not self.hold_s > 0:
            raise ValueError(f"hold_s must be positive, not {self.hold_s!r}")
        for label, values in self.values.items():
            if len(values) != len(self.names) or not all(map(math.isfinite, values)):
                raise ValueError(
                    f"values.{label} needs {len(self.names)} finite numbers, one for each of "
                    f"{', '.join(self.names)}; it is {list(values)}"
                )

    def command(self, prediction: Prediction, armed_from: int = 0) -> Command:
        """Return what `prediction` means for the effector.

        A decision on what was cued before sample `armed_from` means nothing.
        """
        if self.on == "words":
            return self._neutral(max(prediction.probabilities))
        if self.on == "decisions":
            return self._decided(prediction, armed_from)
        sums = [0.0] * len(self.names)
        for label, probability in zip(prediction.labels, prediction.probabilities, strict=True):
            for i, value in enumerate(self.values.get(label, ())):
                sums[i] += probability * value
        confidence = max(prediction.probabilities)
        return Command(self.mode, self.names, tuple(sums), self.unit, confidence)

    def spoken(self, token: Token) -> Command | None:
        """Return what a token means for the effector; None: nothing, or it may still change."""
        if self.on != "words" or not token.is_final or token.text not in self.values:
            return None
        values = tuple(self.values[token.text])
        return Command(self.mode, self.names, values, self.unit, token.confidence)

    def _decided(self, prediction: Prediction, armed_from: int) -> Command:
        confidence = max(prediction.probabilities)
        cue = prediction.cue_sample
        if prediction.decision is None or (cue is not None and cue < armed_from):
            return self._neutral(confidence)
        values = self.values.get(prediction.decision, (0.0,) * len(self.names))
        return Command(self.mode, self.names, tuple(values), self.unit, confidence)

    def _neutral(self, confidence: float) -> Command:
        return Command("neutral", self.names, (0.0,) * len(self.names), self.unit, confidence)


class Commanding:
    """The command that follows from each block's outputs; that of a word stands for a while.

    Parameters
    ----------
    commands
        What classes and words mean; None: only the decoder itself gives commands.
    rate_hz
        Of the samples that outputs are counted by.
    """

    def __init__(self, commands: Commands | None, rate_hz: float) -> None:
        self._commands = commands
        self._rate_hz = rate_hz
        self._spoken: Command | None = None
        self._spoken_until = -1
        self._from = 0

    def command(self, outputs: Sequence[Output], sample: int) -> Command | None:
        """Return the command that is among `outputs`, said at `sample`, or follows from them."""
        command: Command | None = None
        for output in outputs:
            if isinstance(output, Command):
                return output
            if self._commands is None:
                continue
            if isinstance(output, Prediction) and command is None:
                command = self._commands.command(output, self._from)
            elif (
                isinstance(output, Token)
                and output.first >= self._from
                and (spoken := self._commands.spoken(output))
            ):
                held = round(self._commands.hold_s * self._rate_hz)
                self._spoken, self._spoken_until = spoken, sample + held
        return self._spoken if sample < self._spoken_until else command

    def forget(self, sample: int) -> None:
        """Let go of what was said; what was cued or begun to be said before `sample` is void."""
        self._spoken, self._from = None, sample
