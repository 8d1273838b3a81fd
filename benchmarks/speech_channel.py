"""A channel between sentences and a network's probabilities, to try language decoding without one.

Each phoneme lasts a step of 80 ms or two, with blanks between; in each step the scores of all
classes are those of the phoneme that was said, as far as they are alike in how they are made, and
noise. So phonemes are taken for their neighbours, lost and doubled, as a real network's are; the
noise sets how often. It is a simulation: it says how the language decoding compares with another
on the same probabilities, not how well anybody's speech is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from devices.speech.phonemes import BLANK, BOUNDARY, CLASSES, PHONEMES
from devices.speech.pronunciation import pronounce

__all__ = ["Channel"]

_BLANK, _BOUNDARY = CLASSES.index(BLANK), CLASSES.index(BOUNDARY)
# How each is made: consonants by manner, place and voice; vowels by height, place and rounding.
_MADE = {
    "P": "stop lips -", "B": "stop lips v", "T": "stop ridge -", "D": "stop ridge v",
    "K": "stop back -", "G": "stop back v", "CH": "affricate palate -", "JH": "affricate palate v",
    "F": "hiss lips -", "V": "hiss lips v", "TH": "hiss teeth -", "DH": "hiss teeth v",
    "S": "hiss ridge -", "Z": "hiss ridge v", "SH": "hiss palate -", "ZH": "hiss palate v",
    "HH": "hiss throat -", "M": "nose lips v", "N": "nose ridge v", "NG": "nose back v",
    "L": "glide ridge v", "R": "glide palate v", "W": "glide lips v", "Y": "glide tongue v",
    "IY": "vowel high front", "IH": "vowel high front2", "EY": "vowel mid front",
    "EH": "vowel mid front2", "AE": "vowel low front", "AH": "vowel mid centre",
    "ER": "vowel mid r", "AA": "vowel low back", "AO": "vowel mid back", "OW": "vowel mid round",
    "UH": "vowel high round2", "UW": "vowel high round", "AY": "vowel low to-high",
    "AW": "vowel low to-round", "OY": "vowel mid to-high",
}  # fmt: skip


class Channel:
    """Says sentences.

    Parameters
    ----------
    noise
        Standard deviation of the noise of each score.
    seed
        Of the noise.
    """

    def __init__(self, noise: float, seed: int) -> None:
        self._noise, self._random = noise, np.random.default_rng(seed)
        self._scores = _scores()

    def say(self, words: Sequence[str]) -> tuple[NDArray[np.float64], list[int]]:
        """Return probabilities, (n_steps, n_classes), and each word's last step.

        A second of silence is before and after.
        """
        classes, ends = [_BLANK] * 12, []
        for word in words:
            for phoneme in (*pronounce(word), BOUNDARY):
                classes += [CLASSES.index(phoneme)] * (1 + (self._random.random() < 0.4))
                if self._random.random() < 0.5:
                    classes.append(_BLANK)
            ends.append(max(i for i, c in enumerate(classes) if c == _BOUNDARY))
        return self._heard([*classes, *[_BLANK] * 13]), ends

    def silence(self, n_steps: int) -> NDArray[np.float64]:
        """Return probabilities of silence, (n_steps, n_classes)."""
        return self._heard([_BLANK] * n_steps)

    def _heard(self, classes: Sequence[int]) -> NDArray[np.float64]:
        scores = self._scores[list(classes)]
        # What disturbs a phoneme does so for all of its steps.
        shared = self._random.normal(0, self._noise, scores.shape)
        for i in range(1, len(classes)):
            if classes[i] == classes[i - 1] != _BLANK:
                shared[i] = 0.8 * shared[i - 1] + 0.6 * shared[i]
        loud = np.array([0.4 if c == _BLANK else 1.0 for c in classes])[:, None]
        likely = np.exp(scores + loud * shared)
        return likely / likely.sum(axis=1, keepdims=True)


def _scores() -> NDArray[np.float64]:
    """Return how each class scores when one is said, (n_classes said, n_classes)."""
    scores = np.zeros((len(CLASSES), len(CLASSES)))
    for one in PHONEMES:
        for other in PHONEMES:
            shared = sum(
                a == b for a, b in zip(_MADE[one].split(), _MADE[other].split(), strict=False)
            )
            scores[CLASSES.index(one), CLASSES.index(other)] = 1.6 * shared
    scores[_BLANK, _BLANK] = 9.0
    scores[1:, _BLANK] = 2.0
    scores[_BOUNDARY, _BOUNDARY] = 7.0
    np.fill_diagonal(scores[1:-1, 1:-1], 6.5)
    return scores
