"""Words as a tree of their phonemes, with the places that new words are put in at run time.

The tree and the vocabulary of the n-gram model are C++ objects of flashlight-text; the model is
asked for a word by its number here. A node holds at most six words that sound alike, so the
likeliest are kept; of words that sound alike and that the n-gram model does not know, one, since
nothing could ever tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from decoders.speech.folder import Lexeme
from decoders.speech.kenlm_file import read_kenlm
from decoders.speech.sounds import Sounds
from devices.speech.phonemes import BOUNDARY, CLASSES

__all__ = ["Lexicon", "NewWord"]

Phonemes = tuple[int, ...]
_BOUNDARY = CLASSES.index(BOUNDARY)
_ALIKE = 4  # of the six that a node holds: two are for new words
_NODE = 6
_NO_WORD = "<no word>"  # what no model can know: its score is that of an unknown word
_LEAST = -1e30


@dataclass(frozen=True, slots=True)
class NewWord:
    """A word that was not in the lexicon, the ways to say it, and how somebody wrote them."""

    text: str
    pronunciations: tuple[Phonemes, ...]
    said: str


@dataclass(frozen=True, slots=True)
class _Node:
    """A node of the tree as it was: its words, their scores, and the best score below it."""

    node: Any
    labels: list[int]
    scores: list[float]
    most: float

    def restore(self) -> None:
        self.node.labels, self.node.scores = self.labels, self.scores
        self.node.max_score = self.most


class Lexicon:
    """A tree of words, which knows at any time which new words it holds.

    Parameters
    ----------
    lexemes
        Each word with each way to say it.
    places
        Names in the n-gram model of the places for new words.
    model_path
        The n-gram model; None: every word is as likely as any other.

    Raises
    ------
    ArtifactError
        KenLM cannot read the model.

    Attributes
    ----------
    tree, model
        The Trie and the LM of flashlight-text, for its decoders.
    n_places
        How many new words it can hold.
    unknown
        The number by which the model scores a word that it does not know.
    """

    def __init__(
        self, lexemes: Iterable[Lexeme], places: Sequence[str], model_path: str | None
    ) -> None:
        said: dict[str, list[Phonemes]] = {}
        for lexeme in lexemes:
            said.setdefault(lexeme.word, []).append(lexeme.phonemes)
        self._words = list(said)
        self._said = {word: tuple(bytes(p) for p in ways) for word, ways in said.items()}
        self.n_places = len(places)
        self.model, self._scores = _model([*said, *places, _NO_WORD], model_path)
        by_sound = _by_sound(said, self._scores)
        self.tree = _tree(by_sound, self._scores)
        self._sounds = Sounds(by_sound, self._scores)
        self.unknown = len(said) + len(places)
        self._held: tuple[NewWord, ...] = ()
        self._undo: list[list[_Node]] = []

    def __contains__(self, word: str) -> bool:
        return word in self._said

    def __len__(self) -> int:
        return len(self._words)

    def word(self, number: int) -> str:
        """Return a word by its number in the vocabulary."""
        n = len(self._words)
        return self._words[number] if number < n else self._held[number - n].text

    def pronunciations(self, word: str) -> tuple[Phonemes, ...]:
        """Return the ways to say a word of the lexicon; nothing for any other."""
        return tuple(tuple(p) for p in self._said.get(word, ()))

    def sounding(self, phonemes: Phonemes) -> list[int]:
        """Return the numbers of the words that are said so, the likeliest first."""
        return [*self._sounds.same(bytes(phonemes)), *self._new(lambda way: way == phonemes)]

    def beginning(self, phonemes: Phonemes, most: int) -> list[int]:
        """Return the numbers of the words that begin so: the `most` likeliest, and new ones.

        How likely they are is without a context.
        """
        found = self._sounds.beginning(bytes(phonemes), most)
        return [*found, *self._new(lambda way: way[: len(phonemes)] == phonemes)]

    def _new(self, is_wanted: Callable[[Phonemes], bool]) -> list[int]:
        n = len(self._words)
        held = enumerate(self._held)
        return [n + i for i, new in held if any(map(is_wanted, new.pronunciations))]

    def hold(self, words: tuple[NewWord, ...]) -> None:
        """Let the tree hold these new words and no others, one in each place.

        Cheap where it holds them already. Nodes are never taken out, so that what a search points
        to stays.
        """
        if words is self._held:
            return
        kept = 0
        while kept < min(len(words), len(self._held)) and words[kept] == self._held[kept]:
            kept += 1
        while len(self._undo) > kept:
            for was in reversed(self._undo.pop()):
                was.restore()
        for place, new in enumerate(words[kept:], kept):
            self._undo.append(self._put_in(len(self._words) + place, new))
        self._held = words

    def _put_in(self, number: int, new: NewWord) -> list[_Node]:
        """Put a word into the tree, and return the nodes on its path as they were before."""
        before: list[_Node] = []
        for phonemes in dict.fromkeys(new.pronunciations):
            path = [*phonemes, _BOUNDARY]
            nodes = self._along(path)
            if nodes[-1] is not None and len(nodes[-1].labels) == _NODE:
                continue
            was = [_Node(n, n.labels, n.scores, n.max_score) for n in nodes if n is not None]
            self.tree.insert(path, number, self._scores[number])
            was += [_Node(n, [], [], _LEAST) for n in self._along(path)[len(was) :]]
            for node in was:
                node.node.max_score = max(node.most, self._scores[number])
            before += was
        return before

    def _along(self, path: list[int]) -> list[Any]:
        return [self.tree.search(path[: n + 1]) for n in range(len(path))]


def _model(vocabulary: Sequence[str], path: str | None) -> tuple[Any, list[float]]:
    """Return the model, and the score of each word without a context."""
    from flashlight.lib.text.decoder import ZeroLM
    from flashlight.lib.text.dictionary import Dictionary

    numbered = Dictionary()
    for word in vocabulary:
        numbered.add_entry(word)
    model = ZeroLM() if path is None else read_kenlm(path, numbered)
    nowhere = model.start(True)
    return model, [float(model.score(nowhere, i)[1]) for i in range(len(vocabulary))]


def _by_sound(
    said: Mapping[str, Sequence[Phonemes]], scores: Sequence[float]
) -> dict[Phonemes, list[int]]:
    """Return the words of each sound that are worth telling apart, the likeliest first."""
    unknown = scores[-1]
    alike: dict[Phonemes, list[int]] = {}
    for number, ways in enumerate(said.values()):
        for phonemes in dict.fromkeys(ways):
            alike.setdefault(phonemes, []).append(number)
    for phonemes, numbers in alike.items():
        numbers.sort(key=lambda i: (-scores[i], i))
        known = [i for i in numbers if scores[i] != unknown]
        alike[phonemes] = (known or numbers[:1])[:_ALIKE]
    return alike


def _tree(by_sound: Mapping[Phonemes, Sequence[int]], scores: Sequence[float]) -> Any:
    from flashlight.lib.text.decoder import SmearingMode, Trie

    tree = Trie(len(CLASSES), _BOUNDARY)
    for phonemes, numbers in by_sound.items():
        path = [*phonemes, _BOUNDARY]
        for number in numbers:
            tree.insert(path, number, scores[number])
    tree.smear(SmearingMode.MAX)
    return tree
