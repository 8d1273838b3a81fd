"""Sentences said one after the other, as movements of the articulators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices.simulation.articulators import ARTICULATORS, DURATIONS_MS, gestures
from devices.simulation.noise import Smoothed
from devices.simulation.voice import PARAMETERS, acoustics
from devices.speech.phonemes import BOUNDARY
from devices.speech.pronunciation import phonemes_of

__all__ = ["Articulated", "Speaker", "in_order", "shuffled"]

_PER_BIN = 4
_GAP_S = 0.06
_N = len(ARTICULATORS)
_N_COLUMNS = _N + len(PARAMETERS)
_MEAN_WORD_S = 0.47
"""Mean length of a built-in sentence's word in careful speech, with gaps and pauses."""


@dataclass(frozen=True, slots=True)
class Articulated:
    """What the articulators do during one block.

    Parameters
    ----------
    position
        (n, n_articulators) mean of each bin, see `ARTICULATORS`.
    change
        (n, n_articulators) from each bin to the next.
    sound
        (n, n_parameters) mean of each bin: what it would sound like aloud, see `PARAMETERS`.
    marks
        Index into the block, and label; in order.
    """

    position: NDArray[np.float64]
    change: NDArray[np.float64]
    sound: NDArray[np.float64]
    marks: tuple[tuple[int, str], ...]


def shuffled(sentences: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    """Yield sentences without end, all of them in random order and then all of them again."""
    while True:
        yield from (sentences[k] for k in rng.permutation(len(sentences)))


def in_order(sentences: Sequence[str]) -> Iterator[str]:
    """Yield sentences without end, as they are listed."""
    while True:
        yield from sentences


class Speaker:
    """Says sentences, silent between them, without end.

    A sentence is marked with ``say:TEXT`` where it is shown; speech begins 0.3 to 0.7 s later, and
    0.3 to 0.6 s after its end comes ``said``. Phonemes last as in careful speech, scaled to the
    rate, each longer or shorter by a log-normal factor (σ 0.2, of the sentence 0.1); so is the gap
    of 60 ms after each word, and one gap in six is longer by 0.1 to 0.4 s. The articulators follow
    their targets as critically damped masses do (Saltzman & Munhall, Ecol. Psychol. 1:333, 1989),
    so that phonemes blend into their neighbours.

    Parameters
    ----------
    sentences
        What to say, without end; None: nothing, ever.
    wpm
        Words a minute within a sentence.
    silence_s
        Mean length of the silence between sentences; each is 0.5 to 1.5 times as long.
    rate_hz
        Bins a second.
    rng
        Draws everything that varies.
    """

    TAU_S = 0.02
    PITCH_HZ = (125.0, 90.0)  # at the beginning of a sentence, and at its end

    def __init__(
        self,
        sentences: Iterator[str] | None,
        wpm: float,
        silence_s: float,
        rate_hz: float,
        rng: np.random.Generator,
    ) -> None:
        self._sentences = sentences
        self._scale = 60.0 / wpm / _MEAN_WORD_S
        self._silence_s = silence_s
        self._rng = rng
        self._rate_hz = rate_hz * _PER_BIN
        self._smoothed = Smoothed(_N_COLUMNS, self.TAU_S, self._rate_hz)
        self._last = np.zeros((1, _N))
        self._ahead: list[NDArray[np.float64]] = []
        self._n_ahead = 0
        self._marks: list[tuple[int, str]] = []

    def next(self, n: int) -> Articulated:
        """Return what the articulators do in the next `n` bins."""
        while self._n_ahead < n * _PER_BIN:
            self._plan(n)
        ahead = np.concatenate(self._ahead)
        targets, self._ahead = ahead[: n * _PER_BIN], [ahead[n * _PER_BIN :]]
        self._n_ahead -= n * _PER_BIN
        moved = self._smoothed.next(targets).reshape(n, _PER_BIN, -1).mean(axis=1)
        position, sound = moved[:, :_N], moved[:, _N:]
        change = np.diff(position, axis=0, prepend=self._last)
        self._last = position[-1:]
        marks = tuple(mark for mark in self._marks if mark[0] < n)
        self._marks = [(at - n, label) for at, label in self._marks[len(marks) :]]
        return Articulated(position, change, sound, marks)

    def _plan(self, n: int) -> None:
        """Plan the next silence and the next sentence."""
        if self._sentences is None:
            self._rest(n * _PER_BIN / self._rate_hz)
            return
        self._rest(self._silence_s * self._rng.uniform(0.5, 1.5))
        text = next(self._sentences)
        self._mark(f"say:{text}")
        self._rest(self._rng.uniform(0.3, 0.7))
        self._add(self._targets(phonemes_of(text)))
        self._rest(self._rng.uniform(0.3, 0.6))
        self._mark("said")

    def _targets(self, phonemes: tuple[str, ...]) -> NDArray[np.float64]:
        parts = [_parts(None if p == BOUNDARY else p) for p in phonemes]
        lengths_s = [_GAP_S if p == BOUNDARY else DURATIONS_MS[p] / 1000 for p in phonemes]
        n_parts = np.array([len(part) for part in parts])
        each_s = np.repeat(np.array(lengths_s) / n_parts, n_parts)
        targets = np.concatenate(parts)
        n = len(targets)
        each_s *= self._rng.lognormal(0.0, 0.2, n)
        is_pause = ~targets[:, :_N].any(axis=1) & (self._rng.random(n) < 1 / 6)
        each_s += is_pause * self._rng.uniform(0.1, 0.4, n)
        each_s *= self._scale * self._rng.lognormal(0.0, 0.1)
        # The ends are rounded, not the lengths, so that a sentence is as long as it should be.
        ends = np.round(np.cumsum(each_s) * self._rate_hz).astype(np.int64)
        spoken = np.repeat(_filled(targets), np.diff(ends, prepend=0), axis=0)
        spoken[:, -1] = np.linspace(*self.PITCH_HZ, len(spoken))
        return spoken

    def _rest(self, length_s: float) -> None:
        self._add(np.repeat(_parts(None), round(length_s * self._rate_hz), axis=0))

    def _add(self, targets: NDArray[np.float64]) -> None:
        self._ahead.append(targets)
        self._n_ahead += len(targets)

    def _mark(self, label: str) -> None:
        self._marks.append((self._n_ahead // _PER_BIN, label))


def _parts(phoneme: str | None) -> NDArray[np.float64]:
    """Return the targets of a phoneme's parts: articulators, then sound; None: of silence."""
    still = np.zeros((1, _N))
    moves = still if phoneme is None else gestures(phoneme)
    return np.concatenate((moves, acoustics(phoneme)), axis=1)


def _filled(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Let what a phoneme leaves open lie between what it was before and what it is to be."""
    filled = targets.copy()
    at = np.arange(len(targets))
    for column, values in enumerate(targets.T):
        if (is_open := np.isnan(values)).any():
            filled[is_open, column] = np.interp(at[is_open], at[~is_open], values[~is_open])
    return filled
