"""A network that others have made: an ONNX graph, brought in with ``bci import``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from decoders.decoder import Decoding, Training, Weights
from decoders.onnx.foreign_decoding import ForeignClasses, ForeignRows, ForeignValues
from decoders.output import Meaning
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["Onnx"]


@dataclass(frozen=True)
class Onnx:
    """What a network that was trained elsewhere says of the rows.

    Its file comes in with ``bci import``, which checks it against what its maker says of it and
    against the session's steps. The input takes the newest row, or, where it holds a whole number
    of rows, as many of the last ones, oldest first: output begins once they have been seen.

    Parameters
    ----------
    says
        ``"probabilities"`` of classes; ``"scores"``, which a softmax turns into them; or
        ``"values"``.
    input, output
        Names in the graph; empty: the only one that is no state.
    state
        For a recurrent network, which input takes what which output gave at the step before. They
        begin at 0.
    mode
        What values are: the mode of the command.
    """

    says: Literal["probabilities", "scores", "values"]
    input: str = ""
    output: str = ""
    state: Mapping[str, str] = field(default_factory=dict)
    mode: Meaning = "velocity"

    @property
    def task(self) -> Literal["classes", "continuous"]:
        """What it decodes."""
        return "continuous" if self.says == "values" else "classes"

    def fit(self, training: Training) -> Weights:
        """Refuse: it was fitted elsewhere.

        Raises
        ------
        Mismatch
            Always.
        """
        raise Mismatch(
            "a network of the kind onnx was trained elsewhere and is not fitted here; bring it in "
            "with bci import SESSION.toml GRAPH.onnx MANIFEST.toml"
        )

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        rows = ForeignRows(weights, self.input, self.output, self.state, signal.n_channels)
        if rows.said.size != len(labels):
            raise Mismatch(
                f"the graph puts out {rows.said.size} numbers; the model has {len(labels)} labels: "
                f"{', '.join(labels)}"
            )
        if self.says == "values":
            return ForeignValues(rows, self.mode, labels, unit)
        return ForeignClasses(rows, labels, softmax=self.says == "scores")
