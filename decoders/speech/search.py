"""Beam search over an utterance, step by step: which words the phonemes of a network may say.

It maximizes log p(phonemes) + weight · log p(words) + score · number of words, over all sequences
of words of the lexicon, by frame-synchronous search with a beam (Hannun et al., arXiv:1408.2873;
flashlight-text). Steps given one by one lead to the same result as all at once.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.speech.ctc import collapse
from decoders.speech.lexicon import Lexicon
from decoders.speech.ties import offsets
from devices.speech.phonemes import BOUNDARY, CLASSES

__all__ = ["LN_10", "Begun", "Readings", "Search", "Weighing", "ranked"]

_BLANK, _BOUNDARY = 0, CLASSES.index(BOUNDARY)
_THRESHOLD = 25.0
_FLOOR = 1e-8

LN_10 = math.log(10.0)
"""n-gram models count in powers of ten."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """What the search weighs.

    Parameters
    ----------
    beam
        How many hypotheses it keeps.
    language
        How much the language model counts against the network.
    word
        Added for each word.
    blank
        Taken from the log-probability of the blank, which networks are too sure of.
    """

    beam: int
    language: float
    word: float
    blank: float = 0.0


@dataclass(frozen=True, slots=True)
class Readings:
    """What an utterance may say so far, in words that are complete; the best first.

    Parameters
    ----------
    scores
        (n,) float64, how good each is; comparable within one search at one time.
    words
        (n, n_words) int32, the number in the lexicon of each word; -1 after the last.
    firsts, lasts
        (n, n_words) int64, the first and the last step of each.
    heard
        (n, n_words) float64, how likely the network held its phonemes, on average over their steps.
    """

    scores: NDArray[np.float64]
    words: NDArray[np.int32]
    firsts: NDArray[np.int64]
    lasts: NDArray[np.int64]
    heard: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)

    def lengths(self) -> NDArray[np.int64]:
        """Return, (n,), how many words each has."""
        return np.count_nonzero(self.words >= 0, axis=1)

    def texts(self, n: int) -> list[tuple[int, ...]]:
        """Return the words of the first `n`."""
        return [tuple(w for w in row if w >= 0) for row in self.words[:n].tolist()]

    def part(self, rows: NDArray[np.generic]) -> Readings:
        """Return some of them, picked by a mask or by their numbers."""
        columns = (self.scores, self.words, self.firsts, self.lasts, self.heard)
        return Readings(*(column[rows] for column in columns))


@dataclass(frozen=True, slots=True)
class Begun:
    """A reading, with what it has heard of the word after its whole ones.

    Parameters
    ----------
    words
        The numbers of its whole words.
    phonemes
        Of the word that has begun; empty where none has.
    first
        The step at which that begins.
    score
        How good it is, the word that has begun left out.
    tokens
        Its class at each step that the search keeps.
    """

    words: tuple[int, ...]
    phonemes: tuple[int, ...]
    first: int
    score: float
    tokens: tuple[int, ...]


def ranked(readings: Readings) -> Readings:
    """Return readings, the best first; of equally good ones, by the numbers of their words."""
    return readings.part(np.lexsort((*readings.words.T[::-1], -readings.scores)))


class Search:
    """The search of one utterance at a time.

    Parameters
    ----------
    lexicon
        What words there are; which new words it holds must not change from `begin` to `end`.
    weighing
        What is weighed.
    most_steps
        The longest utterance.
    """

    def __init__(self, lexicon: Lexicon, weighing: Weighing, most_steps: int) -> None:
        from flashlight.lib.text.decoder import (
            CriterionType,
            LexiconDecoder,
            LexiconDecoderOptions,
        )

        options = LexiconDecoderOptions(
            beam_size=weighing.beam,
            beam_size_token=len(CLASSES),
            beam_threshold=_THRESHOLD,
            lm_weight=weighing.language * LN_10,
            word_score=weighing.word,
            unk_score=-math.inf,
            sil_score=0.0,
            log_add=False,
            criterion_type=CriterionType.CTC,
        )
        self._decoder = LexiconDecoder(
            options, lexicon.tree, lexicon.model, _BOUNDARY, _BLANK, -1, [], False
        )
        self._tree, self._weighing = lexicon.tree, weighing
        self._log = np.zeros((most_steps + 1, len(CLASSES)), np.float32)
        self._apart = offsets(*self._log.shape)
        self.begin()

    def begin(self) -> None:
        """Begin an utterance."""
        self._decoder.decode_begin()
        self.n_steps = 0
        self._first = 0  # the first step that is not dropped
        self._found: list[Any] | None = None  # what the decoder says at this step

    def step(self, probabilities: NDArray[np.float64]) -> None:
        """Take in one step, (n_classes,)."""
        row = self._log[self.n_steps]
        row[:] = np.log(np.maximum(probabilities, _FLOOR)) + self._apart[self.n_steps]
        row[_BLANK] -= self._weighing.blank
        self._decoder.decode_step(row.ctypes.data, 1, row.size)
        self.n_steps += 1
        self._found = None

    @property
    def n_kept(self) -> int:
        """Steps that are not dropped."""
        return self.n_steps - self._first

    def best(self) -> tuple[int, ...]:
        """Return the words of the best reading so far, those too that end with this very step."""
        # The decoder's own best hypothesis lacks a word until the step after its end.
        best = max(self._results(), key=lambda reading: reading.score)
        return tuple(w for w in best.words if w >= 0)

    def beam(self, within: float = math.inf) -> Readings:
        """Return the readings so far; after `end`, those that end here.

        Only those `within` a score of the best, which takes less time.
        """
        return self._readings(_near(self._results(), within))

    def begun(self, within: float, most: int) -> list[Begun]:
        """Return the `most` best readings `within` a score of the best; of the same, one.

        The best come first, so that whatever is summed over them is so in the same order.
        """
        best: dict[tuple[tuple[int, ...], tuple[int, ...]], Begun] = {}
        near = sorted(_near(self._results(), within), key=lambda result: -result.score)
        for result in near[:most]:
            new = self._begun(result)
            key = new.words, new.phonemes
            if key not in best or new.score > best[key].score:
                best[key] = new
        return sorted(best.values(), key=lambda r: (-r.score, r.words, r.phonemes))

    def heard(self, begun: Begun) -> tuple[float, float]:
        """Return how likely the network held the phonemes of the word that has begun, and all."""
        tokens = np.array(begun.tokens)
        sounds = np.flatnonzero((tokens != _BLANK) & (tokens != _BOUNDARY))
        steps, names = sounds + self._first - 1, tokens[sounds]
        likely = np.exp(self._log[steps, names] - self._apart[steps, names])
        return float(likely[steps >= begun.first].mean()), float(likely.mean())

    def end(self, within: float = math.inf) -> Readings:
        """End the utterance, and return the readings that end here; see `beam`."""
        self._decoder.decode_end()
        self._found = None
        return self.beam(within)

    def forget(self, readings: Readings, n_words: int) -> bool:
        """Drop the steps up to the end of the first `n_words` words, which all `readings` share.

        These are what `beam` says now; the next ones lack these words. Nothing is dropped, and
        False returned, where they do not all have just these words by that step.
        """
        end = int(readings.lasts[0, n_words - 1])
        by_then = (readings.words >= 0) & (readings.lasts <= end)
        if end + 2 > self.n_steps or (by_then.sum(axis=1) != n_words).any():
            return False
        self._decoder.prune(self.n_steps - end - 2)
        self._first = end + 2
        self._found = None
        return True

    def _results(self) -> list[Any]:
        if self._found is None:
            self._found = self._decoder.get_all_final_hypothesis()
        return self._found

    def _begun(self, result: Any) -> Begun:
        words, tokens = result.words, tuple(result.tokens)
        after = len(words)
        while after and words[after - 1] < 0:
            after -= 1
        whole = tuple(w for w in words[:after] if w >= 0)
        phonemes = tuple(p for p in collapse(tokens[after:]) if p != _BOUNDARY)
        if not phonemes:
            return Begun(whole, (), self.n_steps, result.score, tokens)
        silent = (_BLANK, _BOUNDARY)
        first = next(i for i in range(after, len(tokens)) if tokens[i] not in silent)
        smeared = self._tree.search(list(phonemes)).max_score * self._weighing.language * LN_10
        score = result.score - smeared
        return Begun(whole, phonemes, first + self._first - 1, score, tokens)

    def _readings(self, results: list[Any]) -> Readings:
        words, tokens = _table([r.words for r in results]), _table([r.tokens for r in results])
        rows, ends = np.nonzero(words >= 0)
        is_sound = (tokens != _BLANK) & (tokens != _BOUNDARY)
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        after = np.zeros_like(ends)
        after[1:] = np.where(place[1:] > 0, ends[:-1] + 1, 0)
        begins = _next_true(is_sound)[rows, after]
        shape = (len(results), int(place.max(initial=-1)) + 1)

        def spread(values: NDArray[Any], empty: float) -> NDArray[Any]:
            table = np.full(shape, empty, values.dtype)
            table[rows, place] = values
            return table

        step = self._first - 1
        return ranked(
            Readings(
                np.array([r.score for r in results]),
                spread(words[rows, ends], -1),
                spread(begins + step, -1),
                spread(ends + step, -1),
                spread(self._heard(tokens, is_sound, rows, begins, ends), 0.0),
            )
        )

    def _heard(
        self,
        tokens: NDArray[np.int32],
        is_sound: NDArray[np.bool_],
        rows: NDArray[np.int64],
        begins: NDArray[np.int64],
        ends: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return for each word how likely its phonemes were, of tokens (n_readings, n_steps)."""
        steps = np.clip(np.arange(tokens.shape[1]) + self._first - 1, 0, self.n_steps - 1)
        log = self._log[steps, tokens] - self._apart[steps, tokens]
        likely = np.where(is_sound, np.exp(log), 0.0)
        sums, counts = _running(likely), _running(is_sound)
        n = counts[rows, ends + 1] - counts[rows, begins]
        return (sums[rows, ends + 1] - sums[rows, begins]) / np.maximum(n, 1)


def _near(results: list[Any], within: float) -> list[Any]:
    """Return those `within` a score of the best."""
    if not results or within == math.inf:
        return results
    least = max(r.score for r in results) - within
    return [r for r in results if r.score >= least]


def _running(table: NDArray[Any]) -> NDArray[np.float64]:
    """Return the sums of each row up to each place, from 0 on."""
    sums = np.zeros((table.shape[0], table.shape[1] + 1))
    np.cumsum(table, axis=1, out=sums[:, 1:])
    return sums


def _table(rows: list[list[int]]) -> NDArray[np.int32]:
    flat = b"".join([array("i", row).tobytes() for row in rows])
    return np.frombuffer(flat, np.int32).reshape(len(rows), -1)


def _next_true(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each place of a row the first at or after it that is true."""
    places = np.where(mask, np.arange(mask.shape[1]), mask.shape[1])
    return np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
