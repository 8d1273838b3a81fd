"""A speller: flashes that light some characters each, added up until one stands out.

A flash is a cued trial like any other, of which the decoder says how likely the person waited for
it; here its log-odds go to every character that it lit. So the row and the column of the wanted
character rise above the others (Farwell & Donchin, Electroencephalogr. Clin. Neurophysiol. 70,
1988), and how sure that is follows from `decoders.deciding.stopping`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.deciding.stopping import FLOOR, Stopping
from decoders.deciding.trials import Trial, Trials
from decoders.decoder import Event, Moment
from decoders.output import Alternative, Output, Prediction, Token

__all__ = ["Flash", "Speller", "Spelling", "characters_of", "spelled", "wanted"]

_ALTERNATIVES = 3


@dataclass(frozen=True, slots=True)
class Flash:
    """One flash.

    Parameters
    ----------
    sample
        When it began.
    marker
        Which characters it lit, as its marker says.
    label
        Whether it was waited for, as another marker says; empty where nobody knows.
    """

    sample: int
    marker: str
    label: str = ""


@dataclass(frozen=True)
class Speller:
    """The ``[speller]`` section of the session file.

    Parameters
    ----------
    flashes
        Which characters a flash lights, by its marker: ``{ 1 = "ABCDEF", 7 = "AGMSY5" }``; names
        of more than one letter as a list.
    target
        The class of ``[trials]`` that means that a flash was waited for.
    rounds
        A character is spelled after so many rounds of all flashes at the latest.
    pause_s
        A pause so long between flashes ends a character, and begins the next.
    stop_error
        Spell a character as soon as an error has become less likely than this; 0: after all
        rounds.
    """

    flashes: Mapping[str, str | tuple[str, ...]]
    target: str = "target"
    rounds: int = 15
    pause_s: float = 2.0
    stop_error: float = 0.0

    def __post_init__(self) -> None:
        if len(self.flashes) < 2 or not all(self.flashes.values()):
            raise ValueError("a speller needs two flashes or more, each of a character or more")
        if self.rounds < 1 or not self.pause_s > 0 or not 0 <= self.stop_error < 0.5:
            raise ValueError(
                "a speller needs rounds >= 1, pause_s > 0 and stop_error from 0 to below 0.5; it "
                f"has rounds = {self.rounds}, pause_s = {self.pause_s}, stop_error = "
                f"{self.stop_error}"
            )

    @property
    def characters(self) -> tuple[str, ...]:
        """All characters, in the order they are first named."""
        return tuple(dict.fromkeys(c for lit in self.flashes.values() for c in lit))

    def lit(self) -> dict[str, NDArray[np.float64]]:
        """Return for each marker, (n_characters,): 1 for those that it lights."""
        characters = self.characters
        return {
            marker: np.array([float(c in tuple(lit)) for c in characters])
            for marker, lit in self.flashes.items()
        }

    def start(self, trials: Trials, rate_hz: float, stopping: Stopping | None = None) -> Spelling:
        """Start a run; without `stopping`, every character takes all its rounds."""
        return Spelling(self, trials, rate_hz, stopping)


class Spelling:
    """Adds a token for the character that is being spelled, final once it is decided.

    A token's item is the sample of its character's first flash.
    """

    def __init__(
        self, speller: Speller, trials: Trials, rate_hz: float, stopping: Stopping | None
    ) -> None:
        self._speller = speller
        self._trials = trials
        self._rate_hz = rate_hz
        self._stopping = stopping
        self._characters = speller.characters
        self._lit = speller.lit()
        self._pause = round(speller.pause_s * rate_hz)
        self._most = speller.rounds * len(speller.flashes)
        self._reach = round((trials.end_s + 1.0) * rate_hz)
        self._past: deque[tuple[int, float]] = deque()
        self._waiting: list[tuple[Trial, str]] = []
        self._newest = -self._pause - 1
        self._begin(0)

    def _begin(self, item: int) -> None:
        self._item, self._n_flashes, self._is_spelled = item, 0, False
        self._evidence = np.zeros(len(self._characters))

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        """Return the outputs, with a token after them where a flash has been answered."""
        for event in moment.events:
            if event.label in self._lit:
                self._waiting.append((_window(self._trials, event, self._rate_hz), event.label))
        said = next((o for o in outputs if isinstance(o, Prediction)), None)
        if said is None:
            return outputs
        p = said.probabilities[said.labels.index(self._speller.target)]
        self._past.append((moment.sample, _odds(p, len(said.labels))))
        while self._past[0][0] < moment.sample - self._reach:
            self._past.popleft()
        token = None
        while self._waiting and self._waiting[0][0].last <= moment.sample:
            token = self._answer(*self._waiting.pop(0)) or token
            if token is not None and token.is_final:
                break
        return outputs if token is None else [*outputs, token]

    def _answer(self, flash: Trial, marker: str) -> Token | None:
        if flash.cue - self._newest > self._pause:
            self._begin(flash.cue)
        self._newest = flash.cue
        if self._is_spelled:
            return None
        rows = [odds for sample, odds in self._past if flash.first <= sample <= flash.last]
        self._evidence += math.fsum(rows) * self._lit[marker]
        self._n_flashes += 1
        values = self._evidence.tolist()
        enough = self._stopping is not None and self._stopping.reached(values)
        self._is_spelled = enough or self._n_flashes >= self._most
        return self._token()

    def _token(self) -> Token:
        scaled = self._evidence / (1.0 if self._stopping is None else self._stopping.temperature)
        p = np.exp(scaled - scaled.max())
        p /= p.sum()
        best = np.argsort(-p, kind="stable")[: _ALTERNATIVES + 1]
        return Token(
            self._item,
            self._characters[best[0]],
            "character",
            self._is_spelled,
            confidence=float(p[best[0]]),
            alternatives=tuple(Alternative(self._characters[i], float(p[i])) for i in best[1:]),
            first=self._item,
            last=self._newest,
        )


def characters_of(
    events: Iterable[Event], speller: Speller, trials: Trials, rate_hz: float
) -> list[list[Flash]]:
    """Return the flashes of each character, in order: a pause parts one from the next.

    Whether a flash was waited for is said by a marker of ``[trials]`` at the same sample.
    """
    ordered = sorted(events, key=lambda e: e.sample)
    labels = {e.sample: trials.labels[e.label] for e in ordered if e.label in trials.labels}
    found: list[list[Flash]] = []
    newest = -math.inf
    for event in ordered:
        if event.label in speller.flashes:
            if event.sample - newest > round(speller.pause_s * rate_hz):
                found.append([])
            newest = event.sample
            found[-1].append(Flash(event.sample, event.label, labels.get(event.sample, "")))
    return found


def wanted(flashes: Sequence[Flash], speller: Speller) -> str:
    """Return the character that every flash that was waited for lit; empty where it is unknown."""
    lit = [set(speller.flashes[f.marker]) for f in flashes if f.label == speller.target]
    common = set.intersection(*lit) if lit else set()
    return common.pop() if len(common) == 1 else ""


def spelled(
    events: Iterable[Event],
    rows: Mapping[int, NDArray[np.float64]],
    labels: Sequence[str],
    speller: Speller,
    trials: Trials,
    rate_hz: float,
) -> list[tuple[NDArray[np.float64], int]]:
    """Return, for each known character, how likely each was by each flash alone, and which it was.

    Parameters
    ----------
    events
        Of one recording.
    rows
        What the decoder said of each flash, by the sample at which that began:
        (n_blocks, n_classes) probabilities.
    labels
        The classes of those.
    speller, trials, rate_hz
        Which flashes light what, and where they are answered.
    """
    characters, lit = speller.characters, speller.lit()
    target = labels.index(speller.target)
    found = []
    for flashes in characters_of(events, speller, trials, rate_hz):
        character = wanted(flashes, speller)
        seen = [f for f in flashes if f.sample in rows][: speller.rounds * len(speller.flashes)]
        if not character or not seen:
            continue
        odds = [sum(_odds(p[target], len(labels)) for p in rows[f.sample]) for f in seen]
        logits = np.array([lit[f.marker] * each for f, each in zip(seen, odds, strict=True)])
        likely = np.exp(logits - logits.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        found.append((likely, characters.index(character)))
    return found


def _odds(p: float, n_classes: int) -> float:
    """Return the log-odds that a flash was waited for, of classes that are as frequent."""
    p = min(max(p, FLOOR), 1 - FLOOR)
    return math.log(p / (1 - p)) + math.log(n_classes - 1)


def _window(trials: Trials, event: Event, rate_hz: float) -> Trial:
    first, last = round(trials.start_s * rate_hz), round(trials.end_s * rate_hz)
    return Trial(event.sample, "", event.sample + first, event.sample + last)
