"""A stage is a recipe that turns blocks of one signal into blocks of another.

Every step sees blocks of exactly `block` samples, so how the network cut the samples changes
nothing. A chain of stages is a stage.

Errors::

    Mismatch    the signal is not one that this stage (or model) can work on; says both values
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from devices.signal import Chunk, Signal

__all__ = ["Chain", "Mismatch", "Stage", "Step"]


class Mismatch(Exception):
    """What comes in is not what was asked for; the message has both values and the remedy."""


class Step(Protocol):
    """The running state of a stage. All its memory is allocated when it is started.

    Attributes
    ----------
    signal
        What comes out.
    block
        How many samples come out for each block that comes in.
    """

    signal: Signal
    block: int

    def __call__(self, chunk: Chunk) -> Chunk:
        """Turn one block into the next one.

        The result holds until the next call. It is empty (0 rows) while the step has not seen
        enough of the past; once it has, it always has `block` rows.
        """


class Stage(Protocol):
    """The recipe: a frozen dataclass that is one ``[[stages]]`` section of the session file."""

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run on blocks of `block` samples of `signal`.

        Raises
        ------
        Mismatch
            This stage cannot work on such a signal.
        """


@dataclass(frozen=True, slots=True)
class Chain:
    """Stages one after the other; itself a stage. No stages: the samples pass unchanged."""

    stages: tuple[Stage, ...]

    def start(self, signal: Signal, block: int) -> Step:
        """Start every stage on what the one before it puts out."""
        steps: list[Step] = []
        for stage in self.stages:
            step = stage.start(signal, block)
            steps.append(step)
            signal, block = step.signal, step.block
        return _ChainStep(steps, signal, block)


class _ChainStep:
    def __init__(self, steps: Sequence[Step], signal: Signal, block: int) -> None:
        self.signal = signal
        self.block = block
        self._steps = tuple(steps)

    def __call__(self, chunk: Chunk) -> Chunk:
        for step in self._steps:
            chunk = step(chunk)
            if not len(chunk):
                break
        return chunk
