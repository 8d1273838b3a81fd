"""From probabilities of phonemes to speech: the ``[language]`` section, and its run.

A decoder of speech says every 80 ms how likely each phoneme is. The language turns that into
tokens: words by beam search over a lexicon with an n-gram language model, phonemes as they are, or
letters. An utterance ends with a silence, or when somebody says so (``finalize``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from decoders.speech.deciding import Listener
from decoders.speech.folder import LanguageFolder, Lexeme, new_word
from decoders.speech.guessing import Guesses
from decoders.speech.lexicon import Lexicon
from decoders.speech.next_word import NextWord
from decoders.speech.phonemes import Phonemes
from decoders.speech.rescoring import Rescoring
from decoders.speech.search import Search, Weighing
from decoders.speech.speaking import STEP_S, Speaking
from decoders.speech.spelling import letters
from decoders.speech.transcript import Items, Transcript
from decoders.speech.vocabulary import new_word_of
from decoders.speech.words import Telling, Words
from decoders.storage import ArtifactError

__all__ = ["Language", "Loaded", "Speaking"]

_INTERIM = 0.2  # interim words that are less sure are not shown


@dataclass(frozen=True)
class Language:
    """The ``[language]`` section of the session file.

    Parameters
    ----------
    folder
        Made by ``bci language``; not needed for phonemes and spelling.
    mode
        ``"sentences"``: words of a lexicon, weighed by what was said before them. ``"words"``: each
        utterance is one word. ``"phonemes"``: no words. ``"spelling"``: characters, by the names of
        letters or the words of the radio alphabet.
    beam
        How many readings are followed.
    language_weight
        How much the language model counts against the network.
    word_score
        Added to a reading for each word: more gives more and shorter words.
    blank_penalty
        Taken from the log-probability of the blank.
    confidence
        Words below it are withheld; interim ones that are heard so badly that they could not reach
        it if all the beam agreed, too. 0 to 1.
    alternatives
        The most other readings of a word, and of an utterance.
    pause_s
        A silence so long ends an utterance.
    silence
        A step is silent when blank or boundary are as likely as this together.
    longest_s
        An utterance ends after so long without a pause.
    steady_steps
        An interim word is shown once it has been the best for so many steps of 80 ms.
    guess
        A word of a sentence is shown before its end is heard once it is so likely among all that
        may be meant; 1: not before.
    words
        Words to add, such as names: ``"NAME"``, or ``"NAME PHONEMES"`` in ARPAbet.
    boost
        How likely added words are, a power of ten each: from 0, a rare word, to 4.
    only
        No other words than these.
    rescore
        How much a network of the next word counts beside the n-gram model at the end of an
        utterance, 0 to below 1; 0: not at all. ``bci language --neural`` trains one.
    """

    folder: str = ""
    mode: Literal["sentences", "words", "phonemes", "spelling"] = "sentences"
    beam: int = 100
    language_weight: float = 0.7
    word_score: float = 1.0
    blank_penalty: float = 0.0
    confidence: float = 0.3
    alternatives: int = 3
    pause_s: float = 0.8
    silence: float = 0.9
    longest_s: float = 30.0
    steady_steps: int = 1
    guess: float = 0.95
    words: tuple[str, ...] = ()
    boost: int = 2
    only: tuple[str, ...] = ()
    rescore: float = 0.0

    def __post_init__(self) -> None:
        if self.mode in ("sentences", "words") and not self.folder:
            raise ValueError(
                f"mode = {self.mode!r} needs a folder with a lexicon; bci language makes one"
            )
        if self.beam < 1 or self.steady_steps < 1 or self.alternatives < 0:
            raise ValueError(
                "beam and steady_steps are 1 or more, and alternatives 0 or more; they are "
                f"{self.beam}, {self.steady_steps} and {self.alternatives}"
            )
        if not (0 <= self.confidence < 1 and 0.5 < self.silence < 1):
            raise ValueError(
                "confidence is from 0 to below 1, and silence between 0.5 and 1; they are "
                f"{self.confidence} and {self.silence}"
            )
        if not 0.5 <= self.guess <= 1:
            raise ValueError(f"guess is from 0.5 to 1; it is {self.guess}")
        if not 0 <= self.rescore < 1:
            raise ValueError(f"rescore is from 0 to below 1; it is {self.rescore}")
        if self.rescore and self.mode != "sentences":
            raise ValueError(
                f"rescore weighs the words of a sentence; mode = {self.mode!r} has none"
            )
        if not 0 < self.pause_s < self.longest_s:
            raise ValueError(
                f"pause_s is between 0 and longest_s; they are {self.pause_s} and {self.longest_s}"
            )

    def load(self) -> Loaded:
        """Read the files, and build the tree of words: seconds, and hundreds of megabytes.

        Raises
        ------
        ArtifactError
            The folder is not a language that this version reads; or nobody knows how a word of
            `words` or `only` is said.
        """
        try:
            return self._load()
        except ValueError as e:
            raise ArtifactError(f"[language] cannot be used: {e}") from e

    def _load(self) -> Loaded:
        if self.mode == "phonemes":
            return Loaded(self, None)
        if self.mode == "spelling":
            return Loaded(self, Lexicon(letters(), (), None))
        folder = LanguageFolder.read(Path(self.folder))
        if not 0 <= self.boost < len(folder.new_words):
            raise ArtifactError(
                f"{folder.folder} has new words of boost 0 to {len(folder.new_words) - 1}, not "
                f"{self.boost}"
            )
        places = [new_word(self.boost, n) for n in range(folder.new_words[self.boost])]
        lexemes: Iterable[Lexeme] = folder.lexemes()
        if self.only:
            lexemes = _just(self.only, lexemes)
        is_free = self.mode == "words" and bool(self.only)
        lexicon = Lexicon(lexemes, places, None if is_free else str(folder.arpa))
        if len(self.words) > lexicon.n_places:
            raise ArtifactError(
                f"{folder.folder} has places for {lexicon.n_places} new words; words lists "
                f"{len(self.words)}"
            )
        return Loaded(self, lexicon, folder.hash, self._network(folder))

    def _network(self, folder: LanguageFolder) -> NextWord | None:
        if not self.rescore:
            return None
        if folder.next_word is None:
            raise ArtifactError(
                f"{folder.folder} has no network of the next word, which rescore = {self.rescore} "
                "needs; make the folder anew with bci language --neural, or leave rescore out"
            )
        return NextWord.read(folder.next_word)


class Loaded:
    """A language in memory. Its runs share it; each holds its own new words.

    Parameters
    ----------
    language
        The recipe.
    lexicon
        The tree of words and the language model; None where there are no words.
    files
        Hash of the folder's files; empty where none was read.
    network
        Of the next word; None: nothing is rescored.

    Attributes
    ----------
    words
        The new words that every run begins with.
    """

    def __init__(
        self,
        language: Language,
        lexicon: Lexicon | None,
        files: str = "",
        network: NextWord | None = None,
    ) -> None:
        self.language, self.lexicon = language, lexicon
        self._network = network
        self._files = files
        known = language.words if lexicon is not None and lexicon.n_places else ()
        self.words = tuple(new_word_of(said, lexicon) for said in known if lexicon is not None)

    @property
    def hash(self) -> str:
        """Names this very language in 12 hex digits: its files and every key but the folder."""
        keys = {k: v for k, v in asdict(self.language).items() if k != "folder"}
        text = json.dumps({"files": self._files, **keys}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def problem_with_word(self, said: str) -> str:
        """Return why ``NAME`` or ``NAME PHONEMES`` cannot be added as a word; empty if it can."""
        if self.lexicon is None or not self.lexicon.n_places:
            return f"a language of mode {self.language.mode!r} takes no new words"
        try:
            new_word_of(said, self.lexicon)
        except ValueError as e:
            return str(e)
        return ""

    def listener(self) -> Listener | None:
        """Return what hears these words without error; None where there are none."""
        return None if self.lexicon is None else Listener(self.lexicon)

    def start(self, rate_hz: float, hop: int) -> Speaking:
        """Start a run on samples of `rate_hz` that come in blocks of `hop`."""
        return Speaking(self, rate_hz, hop, self.words, Items())

    def transcript(self, items: Items) -> Transcript:
        """Start a transcript of this mode, whose tokens are numbered by `items`."""
        language, lexicon = self.language, self.lexicon
        if lexicon is None:
            return Phonemes(items)
        weighing = Weighing(
            language.beam, language.language_weight, language.word_score, language.blank_penalty
        )
        most = round(language.longest_s / STEP_S)
        telling = Telling(
            language.confidence,
            min(_INTERIM, language.confidence),
            language.guess,
            language.alternatives,
            language.steady_steps,
            is_single=language.mode == "words",
            unit="character" if language.mode == "spelling" else "word",
        )
        rescoring = None
        if self._network is not None:
            weight = language.language_weight
            rescoring = Rescoring(lexicon, self._network, language.rescore, weight)
        search = Search(lexicon, weighing, most)
        does_guess = language.mode == "sentences" and language.guess < 1
        guesses = Guesses(lexicon, weighing) if does_guess else None
        return Words(search, lexicon.word, telling, items, guesses, rescoring)


def _just(only: tuple[str, ...], lexemes: Iterable[Lexeme]) -> Iterator[Lexeme]:
    """Return the words of `only`, said as the lexicon says them, or as it is written there."""
    named = {said.split()[0]: said for said in only}
    known: dict[str, list[Lexeme]] = {}
    for lexeme in lexemes:
        if lexeme.word in named:
            known.setdefault(lexeme.word, []).append(lexeme)
    for name, said in named.items():
        if name in known and said == name:
            yield from known[name]
        else:
            yield from (Lexeme(name, phonemes) for phonemes in new_word_of(said).pronunciations)
