"""How soon words are shown after their last phoneme and after what decides them; why some are late.

Of the words of the final text that were right: the time from the end of the step that says the
word's last phoneme (of the likeliest path that spells it, between the samples that the decoder
gives it) to when it was first shown as an interim word, and to when it was shown and stayed. A
word that is late is decoded again with less asked of it, so that it is known what it waited for.
And the same, in seconds, from the phoneme that decides a word (`decoders.speech.deciding`).

::

    python benchmarks/speech_late_words.py corpus                      # of a simulated channel
    python benchmarks/speech_late_words.py corpus --logits FILE.npz    # of a network

Arguments are those of ``speech_language.py``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
from line import ROOT
from speech_said import (
    NOISE,
    RATE_HZ,
    STEP,
    Said,
    Spoken,
    key,
    of_network,
    speak,
    through_channel,
)

from bci_server.evaluation.speech_promptness import Heard, RightWord, after_deciding_phoneme
from decoders.output import Token
from decoders.speech.alignment import last_phoneme
from decoders.speech.deciding import Listener
from decoders.speech.language import Language, Loaded
from devices.speech.pronunciation import pronunciations

assert ROOT  # found first, so that the packages of this tree are

PROMPT_MS = 300


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was right: its place, and the steps of its last phoneme and of its boundary.

    `first` and `stayed` are the steps at which it was shown.
    """

    place: int
    text: str
    phoneme: int
    boundary: int
    first: int
    stayed: int

    @property
    def late_ms(self) -> int:
        """How long after its last phoneme it was shown to stay."""
        return (self.stayed - self.phoneme) * STEP

    @property
    def is_late(self) -> bool:
        """Whether that is too long."""
        return self.late_ms > PROMPT_MS


def step_of(sample: int) -> int:
    """Return the step that a sample lies in."""
    return sample // STEP


def shown(said: Said) -> list[tuple[Token, int, int]]:
    """Return each final word, and the steps at which it was first shown, and shown as it stayed."""
    first: dict[tuple[int, str], int] = {}
    now: dict[int, tuple[str, int]] = {}
    found = []
    for step, token in said.tokens:
        text, since = now.get(token.item, ("", step))
        since = since if text == token.text else step
        now[token.item] = (token.text, since)
        began = first.setdefault((token.item, token.text), step)
        if token.is_final and token.text:
            found.append((token, began, since))
    return found


def words(spoken: Spoken, said: Said) -> list[Word]:
    """Return the words that were right."""
    told = shown(said)
    texts = [token.text for token, _, _ in told]
    blocks = SequenceMatcher(None, texts, spoken.words, autojunk=False).get_matching_blocks()
    found = []
    for place, at in ((b.b + i, b.a + i) for b in blocks for i in range(b.size)):
        token, first, stayed = told[at]
        begin, end = step_of(token.first), step_of(token.last)
        phoneme = last_phoneme(spoken.heard[begin : end + 1], token.text)
        if phoneme is not None:
            found.append(Word(place, token.text, begin + phoneme, end, first, stayed))
    return found


def why(word: Word, spoken: Spoken, eager: Said, hasty: Said) -> str:
    """Return what a late word waited for.

    Parameters
    ----------
    eager
        What is said when the best reading is shown at once, however sure.
    hasty
        When it is shown at once, if it is sure enough.
    """
    there = _stayed(word, eager)
    if there is None or (there - word.phoneme) * STEP > PROMPT_MS:
        return f"another reading was better: {_instead(word, spoken, eager)}"
    sure = _stayed(word, hasty)
    if sure is None or (sure - word.phoneme) * STEP > PROMPT_MS:
        return "too little of the beam agreed"
    return "it had to stay the best"


def _stayed(word: Word, said: Said) -> int | None:
    alike = [
        since
        for token, _, since in shown(said)
        if token.text == word.text and abs(step_of(token.last) - word.boundary) <= 2
    ]
    return alike[0] if alike else None


def _instead(word: Word, spoken: Spoken, said: Said) -> str:
    """Return what stood in the place of a word once its last phoneme was there for 300 ms."""
    at = word.phoneme + PROMPT_MS // STEP
    now: dict[int, Token] = {}
    for step, token in said.tokens:
        if step <= at:
            now[token.item] = token
    near = [t for t in now.values() if t.text and step_of(t.last) >= word.boundary - 2]
    if not near:
        return "none that had a word there" if word.boundary <= at else "its boundary came later"
    other = near[0].text
    ours, theirs = pronunciations(word.text), pronunciations(other)
    if set(ours) & set(theirs):
        return "one that sounds alike"
    if any(long[: len(way)] == way for long in theirs for way in ours):
        return "a longer word"
    return "another word"


def spread(steps: Sequence[int]) -> dict[str, float]:
    """Return percentiles of steps in ms, and the share within 300 ms."""
    late = STEP * np.array(steps)
    found = {f"p{q}": float(np.percentile(late, q)) for q in (50, 90, 95, 99, 100)}
    return {**found, "within_300_ms": round(float(np.mean(late <= PROMPT_MS)), 4)}


def retracted(said: Sequence[Said]) -> float:
    """Return how many interim words were changed or taken back, for each final one."""
    n_back = n_final = 0
    for each in said:
        now: dict[int, str] = {}
        for _, token in each.tokens:
            before = now.get(token.item, "")
            n_back += bool(before and before != token.text)
            n_final += token.is_final and bool(token.text)
            now[token.item] = token.text
    return n_back / n_final


def heard(spoken: Spoken, right: Sequence[Word]) -> Heard:
    """Return a sentence with its right words, in samples."""
    shown = [RightWord(w.place, end_of(w.first), end_of(w.stayed)) for w in right]
    steps = [end_of(step) for step in range(len(spoken.heard))]
    return Heard(spoken.words, shown, steps, spoken.heard, RATE_HZ)


def end_of(step: int) -> int:
    """Return the last sample of a step."""
    return (step + 1) * STEP - 1


def measured(spoken: Sequence[Spoken], language: Language, loaded: Loaded) -> dict[str, Any]:
    """Return how soon words are shown, how often taken back, and what late ones waited for."""
    lexicon = loaded.lexicon
    assert lexicon is not None, "words are shown of a lexicon"
    eager = Loaded(replace(language, confidence=0.0, steady_steps=1), lexicon)
    hasty = Loaded(replace(language, steady_steps=1), lexicon)
    said = [speak(loaded, each.heard) for each in spoken]
    found, causes, sentences = [], Counter[str](), []
    for each, tokens in zip(spoken, said, strict=True):
        right = words(each, tokens)
        found += right
        sentences.append(heard(each, right))
        if late := [word for word in right if word.is_late]:
            again = speak(eager, each.heard), speak(hasty, each.heard)
            causes.update(why(word, each, *again) for word in late)
    return {
        "words": sum(len(each.words) for each in spoken),
        "right": len(found),
        "first_shown_ms": spread([w.first - w.phoneme for w in found]),
        "stayed_ms": spread([w.stayed - w.phoneme for w in found]),
        "boundary_after_phoneme_ms": spread([w.boundary - w.phoneme for w in found]),
        "after_deciding_phoneme_s": after_deciding_phoneme(sentences, Listener(lexicon)),
        "retracted": round(retracted(said), 4),
        "late": dict(causes.most_common()),
    }


def main() -> None:
    """Print what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--language", type=Path, help="its folder; else CORPUS/english")
    parser.add_argument("--sentences", default="test.txt")
    parser.add_argument("--logits", type=Path)
    parser.add_argument("--noise", type=float, default=NOISE)
    parser.add_argument("--most", type=int, default=150)
    parser.add_argument("--key", type=key, action="append", default=[])
    args = parser.parse_args()
    folder = args.language or args.corpus / "english"
    language = Language(str(folder), **dict(args.key))
    texts = (args.corpus / args.sentences).read_text().splitlines()[: args.most]
    spoken = list(of_network(args.logits) if args.logits else through_channel(texts, args.noise))
    print(json.dumps(measured(spoken, language, language.load()), indent=2))


if __name__ == "__main__":
    main()
