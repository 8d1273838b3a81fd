"""Commands from class probabilities: the ``[commands]`` section of the session file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from decoders.output import Command, Mode, Prediction

__all__ = ["Commands"]


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
        ``"probabilities"``: a command each block. ``"decisions"``: one with each decision, with
        the values of what was decided; between them commands are neutral.
    """

    names: tuple[str, ...]
    values: Mapping[str, tuple[float, ...]]
    mode: Mode = "velocity"
    unit: str = "1"
    on: Literal["probabilities", "decisions"] = "probabilities"

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError(f"names must be unique and at least one; they are {self.names}")
        if self.mode == "neutral":
            raise ValueError("mode says what the values mean; neutral means none")
        for label, values in self.values.items():
            if len(values) != len(self.names) or not all(map(math.isfinite, values)):
                raise ValueError(
                    f"values.{label} needs {len(self.names)} finite numbers, one for each of "
                    f"{', '.join(self.names)}; it is {list(values)}"
                )

    def command(self, prediction: Prediction) -> Command:
        """Return what `prediction` means for the effector."""
        if self.on == "decisions":
            return self._decided(prediction)
        sums = [0.0] * len(self.names)
        for label, probability in zip(prediction.labels, prediction.probabilities, strict=True):
            for i, value in enumerate(self.values.get(label, ())):
                sums[i] += probability * value
        confidence = max(prediction.probabilities)
        return Command(self.mode, self.names, tuple(sums), self.unit, confidence)

    def _decided(self, prediction: Prediction) -> Command:
        confidence = max(prediction.probabilities)
        if prediction.decision is None:
            return Command("neutral", self.names, (0.0,) * len(self.names), self.unit, confidence)
        values = self.values.get(prediction.decision, (0.0,) * len(self.names))
        return Command(self.mode, self.names, tuple(values), self.unit, confidence)
