"""What a decoder of speech said, beside what was to be said: phonemes, words, and when they came.

A word counts to the sentence that its middle lies in, by the samples that the decoder gives it; how
late it came is reckoned from the last of these. Nobody but the decoder knows when a word ended.
Of a word that is right, it is also reckoned from the step that says its last phoneme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from bci_server.evaluation.speech_promptness import (
    Heard,
    RightWord,
    after_deciding_phoneme,
    promptness,
)
from bci_server.evaluation.tally import Controls
from decoders.decoder import Event
from decoders.output import Prediction, Token
from decoders.pipeline import Decoded
from decoders.speech.alignment import last_phoneme
from decoders.speech.ctc import greedy
from decoders.speech.phoneme_errors import phoneme_scores
from decoders.speech.running import Listener, Loaded
from decoders.speech.sentences import Sentence, Sentences
from decoders.stage import Mismatch
from devices.device import Stream
from devices.signal import Chunk
from devices.speech.phonemes import phoneme_ids

__all__ = ["SpeechTally"]


@dataclass(slots=True)
class _Word:
    """A final word, and how it became one.

    Parameters
    ----------
    text
        What it says.
    first, last
        Samples in which it was spoken.
    came, shown, told
        Samples at which it was first shown, from which on it stayed, and at which it was final.
    """

    text: str
    first: int
    last: int
    came: int
    shown: int
    told: int

    @property
    def middle(self) -> float:
        return (self.first + self.last) / 2


@dataclass(slots=True)
class _Recording:
    """What was said in one recording."""

    rate_hz: float
    steps: list[int] = field(default_factory=list)
    rows: list[tuple[float, ...]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    words: list[_Word] = field(default_factory=list)
    shown: dict[int, tuple[str, int]] = field(default_factory=dict)
    came: dict[int, dict[str, int]] = field(default_factory=dict)
    n_retracted: int = 0
    last: int = -1

    def take(self, token: Token) -> None:
        """Take in a token that was said at the newest sample."""
        before, since = self.shown.pop(token.item, ("", self.last))
        self.n_retracted += bool(before) and before != token.text
        since = since if before == token.text else self.last
        came = self.came.setdefault(token.item, {}).setdefault(token.text, self.last)
        if token.is_final:
            del self.came[token.item]
            end = token.last if token.last >= 0 else self.last
            first = token.first if token.first >= 0 else end
            self.words.append(_Word(token.text.lower(), first, end, came, since, self.last))
        elif token.text:
            self.shown[token.item] = (token.text, since)

    def spoken(self, word: _Word) -> int | None:
        """Return the last sample of the step that says a word's last phoneme, if that is known."""
        begin, end = np.searchsorted(self.steps, [word.first, word.last + 1])
        if begin == end:
            return None
        step = last_phoneme(np.array(self.rows[begin:end]), word.text)
        return None if step is None else self.steps[begin + step]


@dataclass(frozen=True, slots=True)
class _Said:
    """A sentence, the phonemes that the decoder said in it, and its words."""

    sentence: Sentence
    recording: _Recording
    phonemes: Sequence[int]
    words: list[_Word]

    @property
    def rate_hz(self) -> float:
        return self.recording.rate_hz

    @property
    def seconds(self) -> float:
        return (self.sentence.last - self.sentence.first + 1) / self.rate_hz

    def right(self, meant: Sequence[str]) -> list[tuple[int, _Word]]:
        """Return the words that were meant, in this order, and the place of each there."""
        heard = [word.text for word in self.words]
        blocks = SequenceMatcher(None, heard, meant, autojunk=False).get_matching_blocks()
        return [(b.b + i, self.words[b.a + i]) for b in blocks for i in range(b.size)]

    def heard(self, meant: Sequence[str]) -> Heard:
        """Return it with the words that were right."""
        steps = self.recording.steps
        some = slice(*np.searchsorted(steps, [self.sentence.first, self.sentence.last + 1]))
        right = [RightWord(i, word.came, word.shown) for i, word in self.right(meant)]
        rows = np.array(self.recording.rows[some])
        return Heard(meant, right, steps[some], rows, self.rate_hz)


class SpeechTally:
    """Scores phonemes and words, sentence by sentence.

    Parameters
    ----------
    sentences
        What cues a sentence.
    labels
        The classes in the order of the probabilities.
    controls
        Whether to permute the sentences.
    language
        The one that decodes, in memory; None: phonemes alone are scored.

    Raises
    ------
    Mismatch
        The controls hold one that is not of speech.
    """

    def __init__(
        self,
        sentences: Sentences,
        labels: tuple[str, ...],
        controls: Controls,
        language: Loaded | None,
    ) -> None:
        if controls.shift_s:
            raise Mismatch(
                "the truth of speech is sentences, which are not turned but permuted; leave "
                "--shift-truth away and take --permute-labels"
            )
        self._sentences = sentences
        self._labels = labels
        self._controls = controls
        self._language = language
        self._recordings: list[_Recording] = []

    def begin(self, stream: Stream, rate_hz: float) -> None:
        """Begin with a recording."""
        self._recordings.append(_Recording(rate_hz))

    def truth(self, truth: Chunk) -> None:
        """Truth beside markers says nothing about sentences."""

    def take(self, decoded: Decoded) -> None:
        """Take one block in."""
        now = self._recordings[-1]
        now.last = decoded.moment.sample
        now.events += decoded.moment.events
        for output in decoded.outputs:
            if isinstance(output, Prediction):
                now.steps.append(now.last)
                now.rows.append(output.probabilities)
            elif isinstance(output, Token) and output.unit == "word":
                now.take(output)

    def end(self) -> None:
        """End a recording."""

    def score(self) -> tuple[int, dict[str, Any]]:
        """Return how many sentences were scored, and the scores.

        Returns
        -------
        ``phoneme_error_rate`` and more of `decoders.speech.phoneme_errors.phoneme_scores`, of the
        greedy path; ``n_not_pronounced`` sentences with words that no dictionary has, which are in
        no score of phonemes; and with a language ``words``: ``word_error_rate``, ``ci95`` (a
        bootstrap over sentences), ``chance`` (held against other sentences), ``n_words``;
        ``per_minute`` of the sentences' time; ``retracted`` interim words for each final one;
        ``interim_delay_s`` and ``final_delay_s`` (``p50``, ``p95``); ``after_phoneme``, of ``n``
        words that were right: seconds from the end of the step that says the last phoneme to when
        the word was ``first`` shown, and from when on it ``stayed`` (``p50``, ``p90``, ``p95``, and
        the share ``within_300_ms``, with its ``ci95``); ``after_deciding_phoneme``, see
        `bci_server.evaluation.speech_promptness`; ``outside``: words ``n`` that lie in no sentence,
        ``minutes`` outside of sentences, words ``per_minute``; and ``texts``, what was to be said
        and what was.

        Raises
        ------
        Mismatch
            There was no whole sentence, or none of words that can be pronounced.
        """
        said, skip = [], self._controls.skip_s
        for recording in self._recordings:
            from_sample = skip * recording.rate_hz
            said += [s for s in self._said(recording) if s.sentence.first >= from_sample]
            skip = 0.0
        if not said:
            raise Mismatch(self._nothing_said())
        texts = [each.sentence.text for each in said]
        if self._controls.permute_seed is not None:
            texts = _exchanged(texts, self._controls.permute_seed)
        scores = self._phonemes(said, texts)
        if self._language is not None:
            scores["words"] = self._words(said, texts, self._language.listener())
        return len(said), scores

    def _said(self, recording: _Recording) -> list[_Said]:
        found = []
        for sentence in self._sentences.of(recording.events, recording.rate_hz):
            if sentence.last > recording.last:
                continue
            begin, end = np.searchsorted(recording.steps, [sentence.first, sentence.last + 1])
            rows = np.array(recording.rows[begin:end]).reshape(-1, len(self._labels))
            path = greedy(rows) if len(rows) else ()
            words = [w for w in recording.words if sentence.first <= w.middle <= sentence.last]
            found.append(_Said(sentence, recording, path, words))
        return found

    def _phonemes(self, said: Sequence[_Said], texts: Sequence[str]) -> dict[str, Any]:
        meant = [_pronounced(text) for text in texts]
        known = [i for i, phonemes in enumerate(meant) if phonemes is not None]
        if not known:
            raise Mismatch(
                f"no sentence can be pronounced, such as {texts[0]!r}; the dictionary knows words "
                "of North American English alone"
            )
        scores = phoneme_scores([meant[i] or () for i in known], [said[i].phonemes for i in known])
        return scores | {"n_not_pronounced": len(meant) - len(known)}

    def _words(
        self, said: Sequence[_Said], texts: Sequence[str], listener: Listener | None
    ) -> dict[str, Any]:
        meant = [_words_of(text) for text in texts]
        heard = [[part for word in each.words for part in word.text.split()] for each in said]
        numbers: dict[str, int] = {}
        as_numbers = [
            [[numbers.setdefault(w, len(numbers)) for w in words] for words in sentences]
            for sentences in (meant, heard)
        ]
        rates = phoneme_scores(*as_numbers)
        words = [(word, each.rate_hz) for each in said for word in each.words]
        n_final = sum(len(r.words) for r in self._recordings)
        return {
            "word_error_rate": rates["phoneme_error_rate"],
            "ci95": rates["ci95"],
            "chance": rates["chance"],
            "n_words": rates["n_phonemes"],
            "per_minute": 60 * len(words) / sum(each.seconds for each in said),
            "retracted": sum(r.n_retracted for r in self._recordings) / max(1, n_final),
            "interim_delay_s": _spread([(w.shown - w.last) / hz for w, hz in words]),
            "final_delay_s": _spread([(w.told - w.last) / hz for w, hz in words]),
            "after_phoneme": _after_phoneme(said, meant),
            "after_deciding_phoneme": None
            if listener is None
            else after_deciding_phoneme(
                [each.heard(words) for each, words in zip(said, meant, strict=True)], listener
            ),
            "outside": self._outside(),
            "texts": [
                {"meant": " ".join(a), "said": " ".join(b)}
                for a, b in zip(meant, heard, strict=True)
            ],
        }

    def _outside(self) -> dict[str, float | None]:
        """Count the words that lie in no sentence."""
        n, seconds = 0, 0.0
        for r in self._recordings:
            sentences = self._sentences.of(r.events, r.rate_hz)
            spans = [(s.first, min(s.last, r.last)) for s in sentences]
            n += sum(not any(a <= w.middle <= b for a, b in spans) for w in r.words)
            inside = np.zeros(r.last + 1, np.bool_)
            for a, b in spans:
                inside[a : b + 1] = True
            seconds += float((~inside).sum()) / r.rate_hz
        minutes = seconds / 60
        return {"n": n, "minutes": minutes, "per_minute": n / minutes if minutes else None}

    def _nothing_said(self) -> str:
        labels = dict.fromkeys(e.label.split(":")[0] for r in self._recordings for e in r.events)
        return (
            "no whole sentence in the recordings: [sentences] waits for a marker that begins with "
            f"{self._sentences.begin!r} and for {self._sentences.end!r}; there were "
            f"{', '.join(labels) or 'none'}"
        )


def _exchanged(texts: Sequence[str], seed: int) -> list[str]:
    """Return the texts such that each sentence has that of another one."""
    order = np.random.default_rng(seed).permutation(len(texts))
    exchanged = list(texts)
    for at, of in zip(order, np.roll(order, 1), strict=True):
        exchanged[at] = texts[of]
    return exchanged


def _words_of(text: str) -> list[str]:
    from devices.speech.text import words_of

    try:
        return list(words_of(text))
    except ValueError as e:
        raise Mismatch(f"the sentence {text!r} has no words to score: {e}") from e


def _pronounced(text: str) -> tuple[int, ...] | None:
    """Return the phonemes of a sentence, a boundary after each word; None: it cannot be said."""
    from devices.speech.pronunciation import phonemes_of

    try:
        return phoneme_ids(phonemes_of(text))
    except ValueError:
        return None
    except ModuleNotFoundError as e:
        raise Mismatch(str(e)) from e


def _spread(
    seconds: Sequence[float], percents: tuple[int, ...] = (50, 95)
) -> dict[str, float] | None:
    if not seconds:
        return None
    found = np.percentile(seconds, percents)
    return {f"p{p}": float(value) for p, value in zip(percents, found, strict=True)}


def _after_phoneme(said: Sequence[_Said], meant: Sequence[Sequence[str]]) -> dict[str, Any] | None:
    """Return how long after their last phoneme words that are right were shown."""
    first: list[list[float]] = []
    stayed: list[list[float]] = []
    for each, words in zip(said, meant, strict=True):
        right = [(w, each.recording.spoken(w)) for _, w in each.right(words)]
        known = [(word, spoken) for word, spoken in right if spoken is not None]
        first.append([(word.came - spoken) / each.rate_hz for word, spoken in known])
        stayed.append([(word.shown - spoken) / each.rate_hz for word, spoken in known])
    if not any(first):
        return None
    return {"n": sum(map(len, first)), "first": promptness(first), "stayed": promptness(stayed)}
