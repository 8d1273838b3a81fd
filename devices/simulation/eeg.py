"""The source of simulated EEG: layers that add up, driven by an intent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from devices.signal import Signal
from devices.simulation.intent import REST, Intent
from devices.simulation.layers import Layer
from devices.simulation.stream import Block

__all__ = ["EegSource"]


class EegSource:
    """Adds up layers, block after block; truth is one column a class, 1 while it is meant.

    Parameters
    ----------
    signal
        What comes out, in uV.
    classes
        Names of what can be meant.
    intent
        Says what is meant when.
    layers
        What the EEG is made of.
    block
        Samples that are made together.
    is_live
        Whether the intent follows somebody outside.
    """

    def __init__(
        self,
        signal: Signal,
        classes: Sequence[str],
        intent: Intent,
        layers: Sequence[Layer],
        block: int,
        is_live: bool,
    ) -> None:
        self.signal = signal
        self.truth_signal = Signal(signal.rate_hz, tuple(classes), "1")
        self.block = block
        self.is_live = is_live
        self._labels = (REST, *classes)
        self._intent = intent
        self._layers = tuple(layers)
        self._one_hot = np.vstack((np.zeros(len(classes)), np.eye(len(classes)))).astype(np.float32)

    def make(self, start_s: float) -> Block:
        """Make the next block."""
        meant = self._intent.next(self.block, start_s)
        values = np.zeros((self.block, self.signal.n_channels))
        marks = [(at, self._labels[number]) for at, number in meant.onsets]
        for layer in self._layers:
            marks += layer.add(values, meant)
        marks.sort(key=lambda mark: mark[0])
        truth = self._one_hot[meant.classes]
        return Block(values.astype(np.float32), truth, tuple(marks))

    def close(self) -> None:
        """Let go of the intent."""
        self._intent.close()
