"""The sentences of a training: which rows each has, in which order, and what was said in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.stage import Mismatch

__all__ = ["SpokenSentence", "held_out", "spoken_sentences"]


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """A sentence, with the silence before it.

    Parameters
    ----------
    first, end
        Its rows, `end` not included.
    silent
        How many of them lie before the sentence.
    group, stretch, session
        Numbers, as in `Training`; sentences of a stretch follow each other without a gap.
    phonemes
        (k,) int64, numbers of `devices.speech.phonemes.CLASSES`.
    """

    first: int
    end: int
    silent: int
    group: int
    stretch: int
    session: int
    phonemes: NDArray[np.int64]

    def follows(self, other: SpokenSentence) -> bool:
        """Return whether this one begins where the other ends."""
        return self.first == other.end and self.stretch == other.stretch


def spoken_sentences(training: Training) -> list[SpokenSentence]:
    """Return the sentences of a training, in the order of their rows.

    Raises
    ------
    Mismatch
        It holds no sentences.
    """
    spoken = training.spoken
    if spoken is None or not len(training.groups):
        raise Mismatch(
            "this decoder learns from sentences, and the training holds none; set [sentences], and "
            "use recordings with its markers"
        )
    edges = np.flatnonzero(np.diff(training.groups, prepend=training.groups[0] - 1))
    return [
        _sentence(training, spoken, int(first), int(end))
        for first, end in zip(edges, [*edges[1:], len(training.groups)], strict=True)
    ]


def held_out(found: list[SpokenSentence], share: float) -> list[bool]:
    """Return of each whether it is among the last `share` of its session; one at least is not."""
    session = np.array([u.session for u in found])
    out = np.zeros(len(found), np.bool_)
    for number in np.unique(session):
        at = np.flatnonzero(session == number)
        out[at[len(at) - round(share * len(at)) :]] = True
    if len(found) > 1 and not out.any():
        out[-1] = True
    return out.tolist()


def _sentence(
    training: Training, spoken: NDArray[np.int64], first: int, end: int
) -> SpokenSentence:
    group = int(training.groups[first])
    ages, sessions = training.ages, training.sessions
    return SpokenSentence(
        first,
        end,
        0 if ages is None else int((ages[first:end] < 0).sum()),
        group,
        int(training.targets[first]),
        0 if sessions is None else int(sessions[first]),
        spoken[spoken[:, 0] == group, 1],
    )
