"""Responses locked to a cue, sample by sample: what decoders of codes and flickers share.

Rows hold whole blocks of samples (the stage `samples`); a trial's first sample is its cue's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.stage import Mismatch

__all__ = ["Aligned", "SinceCue", "align", "likeness"]


@dataclass(frozen=True, slots=True)
class Aligned:
    """Trials from their cues on.

    Parameters
    ----------
    values
        (n_trials, n_samples, n_channels).
    truths
        (n_trials,): index of each one's class.
    block
        Samples a row.
    rate_hz
        Sampling rate.
    """

    values: NDArray[np.float64]
    truths: NDArray[np.int64]
    block: int
    rate_hz: float

    def part(self, kept: NDArray[np.bool_]) -> Aligned:
        """Return some of the trials."""
        return Aligned(self.values[kept], self.truths[kept], self.block, self.rate_hz)


def align(training: Training, fewest: int = 2) -> Aligned:
    """Cut trials out of rows that hold whole blocks, so that all begin at their cue.

    A trial that a gap cut short is left out.

    Raises
    ------
    Mismatch
        Rows do not hold whole blocks, trials do not begin at their cue, or there are too few.
    """
    if training.ages is None:
        raise Mismatch("this decoder learns from cued trials; the session has no [trials] labels")
    _, first = np.unique(training.groups, return_index=True)
    bounds = [*np.sort(first).tolist(), len(training.groups)]
    steps = np.diff(training.ages)[np.diff(training.groups) == 0]
    if len(bounds) <= fewest or not len(steps):
        raise Mismatch(
            f"{len(bounds) - 1} trials are too few to fit on; at least {fewest} are needed, each "
            "of more than one block"
        )
    block = int(steps[0])
    width = training.features.shape[1]
    if width % block:
        raise Mismatch(
            f"{width} features do not hold blocks of {block} samples; "
            'the last stage must be kind = "samples"'
        )
    cut, truths = [], []
    for begin, end in pairwise(bounds):
        before = block - 1 - int(training.ages[begin])
        if before < 0:
            raise Mismatch(
                f"the first block of a trial ends {training.ages[begin]} samples after its cue, "
                f"so samples are missing before it; set start_s = 0 in [trials]"
            )
        samples = training.features[begin:end].reshape(-1, width // block)
        cut.append(samples[before:])
        truths.append(int(training.targets[begin]))
    longest = max(map(len, cut))
    whole = [len(samples) > longest - block for samples in cut]
    n = min(len(samples) for samples, ok in zip(cut, whole, strict=True) if ok)
    return Aligned(
        np.stack([samples[:n] for samples, ok in zip(cut, whole, strict=True) if ok]),
        np.array(truths)[whole],
        block,
        training.signal.rate_hz * block,
    )


class SinceCue:
    """The last samples of a stream, to look at those that came since a cue.

    They lie in one piece of memory, written twice, so that any stretch of them is a view.

    Parameters
    ----------
    longest
        Samples since a cue that are ever asked for.
    width
        Numbers a sample.
    block
        Samples that come at a time.
    """

    def __init__(self, longest: int, width: int, block: int) -> None:
        self._longest = longest
        self._size = (-(-longest // block) + 2) * block
        self._memory = np.zeros((2 * self._size, width))
        self._at = self._seen = 0

    def add(self, samples: NDArray[np.float64]) -> None:
        """Take one block in, (block, width)."""
        at, size, n = self._at, self._size, len(samples)
        self._memory[at : at + n] = samples
        self._memory[at + size : at + size + n] = samples
        self._at = (at + n) % size
        self._seen = min(size, self._seen + n)

    def since(self, age: int) -> NDArray[np.float64]:
        """Return the samples from one on that is `age` samples old, `longest` at most.

        Empty where they are too long ago, or were never seen.
        """
        n = age + 1
        if not 0 < n <= self._seen:
            return self._memory[:0]
        begin = self._at + self._size - n
        return self._memory[begin : begin + min(n, self._longest)]


def likeness(correlations: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    r"""Return how much likelier each template is than none, as a logarithm.

    :math:`-\frac n2 \ln (1 - \rho^2)` of n samples: the gain in likelihood when white noise is
    added to the template at its best scale; 0 for a template turned upside down.
    """
    rho = np.clip(correlations, 0.0, 1 - 1e-9)
    return np.asarray(-0.5 * n * np.log1p(-rho * rho), np.float64)
