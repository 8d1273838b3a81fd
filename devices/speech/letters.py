"""Letter to sound: how a word that the dictionary lacks is pronounced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from devices.speech.dictionary import Pronunciation
from devices.speech.phonemes import PHONEMES

__all__ = ["LetterToSound", "letter_to_sound"]

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_VOWELS = frozenset(
    ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
)
# The network has a class for each stress of a vowel, and UW once without.
_TIMES = {"UW": 4} | dict.fromkeys(_VOWELS - {"UW"}, 3)
_SAID = tuple(p for phoneme in PHONEMES for p in (phoneme,) * _TIMES.get(phoneme, 1))
_WORD_ENDS, _FIRST_LETTER = 2, 3
_BEGIN, _END, _FIRST_PHONEME = 2, 3, 4
_MOST = 20


class LetterToSound:
    """Reads a word with one recurrent network and says it with another, the likeliest each time.

    The network, and the weights that come with the package, are those of g2p_en 2.1.0 (Park & Kim,
    2019; Apache License 2.0, in letters.LICENSE), fitted to the CMU dictionary; here the stress is
    left out, and the weights are stored in half the bits.

    Parameters
    ----------
    weights
        ``enc_emb`` (29, n), ``dec_emb`` (74, n), gates of GRUs ``enc_w_ih`` … ``dec_b_hh`` (reset,
        update, new; 3 n rows), ``fc_w`` (74, n) and ``fc_b``.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.floating]]) -> None:
        self._weights = {name: array.astype(np.float32) for name, array in weights.items()}

    def pronounce(self, word: str) -> Pronunciation:
        """Return the phonemes of a word of letters and apostrophes, in lower case."""
        return tuple(_SAID[k - _FIRST_PHONEME] for k in self._say(word) if k >= _FIRST_PHONEME)

    def _say(self, word: str) -> Iterator[int]:
        w = self._weights
        state = np.zeros(w["enc_emb"].shape[1], np.float32)
        letters = [_FIRST_LETTER + _LETTERS.index(c) for c in word if c != "'"]
        for number in (*letters, _WORD_ENDS):
            state = self._step("enc", number, state)
        number = _BEGIN
        for _ in range(_MOST):
            state = self._step("dec", number, state)
            number = int(np.argmax(w["fc_w"] @ state + w["fc_b"]))
            if number == _END:
                return
            yield number

    def _step(self, part: str, number: int, state: NDArray[np.float32]) -> NDArray[np.float32]:
        w = self._weights
        told = w[f"{part}_w_ih"] @ w[f"{part}_emb"][number] + w[f"{part}_b_ih"]
        kept = w[f"{part}_w_hh"] @ state + w[f"{part}_b_hh"]
        reset_told, update_told, new_told = np.split(told, 3)
        reset_kept, update_kept, new_kept = np.split(kept, 3)
        reset = 1 / (1 + np.exp(-(reset_told + reset_kept)))
        update = 1 / (1 + np.exp(-(update_told + update_kept)))
        new = np.tanh(new_told + reset * new_kept)
        mixed: NDArray[np.float32] = (1 - update) * new + update * state
        return mixed


@cache
def letter_to_sound() -> LetterToSound:
    """Return the model that comes with the package."""
    from safetensors.numpy import load

    return LetterToSound(load(files("devices.speech").joinpath("letters.safetensors").read_bytes()))
