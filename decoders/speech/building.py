"""Builds a language from text: lexicon, n-gram model and manifest, all or nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from decoders.speech import arpa, next_word
from decoders.speech.folder import (
    ARPA,
    LEXICON,
    NEXT_WORD,
    LanguageFolder,
    write_lexicon,
    write_manifest,
)
from decoders.speech.held_out import HeldOut
from decoders.speech.kneser_ney import estimate, number
from decoders.speech.text import Sentence, sentences
from decoders.storage import ArtifactError
from devices.speech.dictionary import Pronunciation, known, vocabulary
from devices.speech.pronunciation import pronunciations

__all__ = ["Built", "build", "english"]

Dictionary = Mapping[str, tuple[Pronunciation, ...]]
Tell = Callable[[str, float], None]
_FEW = 3  # a word outside of the dictionary is taken from so often on: less may be a slip


@dataclass(frozen=True, slots=True)
class Built:
    """What was built, and of what.

    Parameters
    ----------
    language
        The folder.
    n_sentences, n_words
        That the model has read.
    n_excluded
        Sentences that were held out.
    n_unknown
        Words of these that are not in the lexicon.
    n_grams
        Of each order, from 1 on.
    perplexity
        Of the network of the next word, on sentences of the text that it has not learned from;
        None if none was trained.
    """

    language: LanguageFolder
    n_sentences: int
    n_words: int
    n_excluded: int
    n_unknown: int
    n_grams: tuple[int, ...]
    perplexity: float | None = None


def build(
    corpora: Sequence[Path],
    folder: Path,
    *,
    order: int = 3,
    arpa_file: Path | None = None,
    exclude: Sequence[Path] = (),
    dictionary: Dictionary | None = None,
    neural: bool = False,
    tell: Tell = lambda what, share: None,
) -> Built:
    """Build a language in a new folder.

    Parameters
    ----------
    corpora
        Text files, in UTF-8.
    folder
        Must not exist.
    order
        The longest n-gram.
    arpa_file
        A model of one's own, instead of one of the corpora; these then only add words.
    exclude
        Text files whose sentences, and near copies of them, the model must not read.
    dictionary
        How words are said; None: as the CMU dictionary has it.
    neural
        Train a network of the next word, too; takes minutes, and torch.
    tell
        Told what is being done, and how much of all is done.

    Raises
    ------
    ArtifactError
        The folder exists, or there is nothing to read.
    FileNotFoundError, ModuleNotFoundError
        A file, the dictionary or torch is missing.
    """
    _check(corpora, folder, order, arpa_file, neural)
    tell("reading", 0.0)
    held_out = HeldOut(_read(exclude))
    read = list(_read(corpora))
    said = [words for words in read if words not in held_out]
    tell("finding words", 0.2)
    counts = Counter(word for words in said for word in words)
    known_words = english() if dictionary is None else dictionary
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".language-", dir=folder.parent) as made:
        part = Path(made) / "language"
        part.mkdir()
        if arpa_file is None:
            lexicon = _lexicon(known_words, counts)
            n_grams, places = _estimate(part / ARPA, said, lexicon, order, tell)
        else:
            counts_of_it = Counter(dict.fromkeys(arpa.words_of(arpa_file), _FEW))
            lexicon = _lexicon(known_words, counts + counts_of_it)
            tell("copying", 0.4)
            n_grams, places = arpa.copy(arpa_file, part / ARPA, _ranks(lexicon))
        write_lexicon(part / LEXICON, ((w, p) for w, ways in lexicon.items() for p in ways))
        about: dict[str, Any] = {
            "sentences": len(said),
            "words": counts.total(),
            "excluded": len(read) - len(said),
            "ngrams": n_grams,
        }
        if neural:
            about["next_word"] = _train_network(part / NEXT_WORD, said, lexicon, tell)
        write_manifest(
            part, order=len(n_grams), n_words=len(lexicon), new_words=places, about=about
        )
        shutil.move(part, folder)
    return Built(
        LanguageFolder.read(folder),
        len(said),
        counts.total(),
        len(read) - len(said),
        sum(n for word, n in counts.items() if word not in lexicon),
        n_grams,
        about["next_word"]["perplexity"] if neural else None,
    )


def _check(
    corpora: Sequence[Path], folder: Path, order: int, arpa_file: Path | None, neural: bool
) -> None:
    if folder.exists():
        raise ArtifactError(f"{folder} is there already; name a new folder or remove it")
    if not corpora and arpa_file is None:
        raise ArtifactError("a language is made of a text, or of a model with --arpa: name one")
    if order < 1:
        raise ArtifactError(f"the order of a language model is 1 or more, not {order}")
    if neural:
        _check_trainable(corpora)


def _check_trainable(corpora: Sequence[Path]) -> None:
    if not corpora:
        raise ArtifactError("a network of the next word learns from a text: name one")
    if find_spec("torch") is None:
        raise ModuleNotFoundError(
            "a network of the next word is trained with torch, which is not installed here; "
            "pip install 'bci-server[deep]', or build the language without"
        )


def _estimate(
    path: Path, said: Sequence[Sentence], lexicon: Dictionary, order: int, tell: Tell
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Write the n-grams of what was said; return how many, and the places for new words."""
    tell("counting", 0.4)
    words = [*next_word.SPECIAL, *lexicon]
    tables = estimate(number(said, words), len(words), order)
    tell("writing", 0.7)
    places = arpa.write(path, tables, words, _ranks(lexicon))
    return tuple(len(table.words) for table in tables), places


def _train_network(
    path: Path, said: Sequence[Sentence], lexicon: Dictionary, tell: Tell
) -> dict[str, Any]:
    """Train a network of the next word and write it; return what the manifest says of it."""
    from decoders.training.next_word import train_next_word

    trained = train_next_word(
        said, frozenset(lexicon), tell=lambda share: tell("training", min(share, 0.999))
    )
    next_word.write(path, trained.words, trained.arrays)
    return {
        "words": len(trained.words),
        "epoch": trained.epoch,
        "perplexity": round(trained.perplexity, 2),
    }


def _read(paths: Iterable[Path]) -> Iterator[Sentence]:
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                yield from sentences(line)


def english() -> Dictionary:
    """Return how the words of the CMU dictionary are said."""
    return {word: known(word) for word in vocabulary()}


def _lexicon(dictionary: Dictionary, counts: Counter[str]) -> Dictionary:
    """Return how each word is said: those of the dictionary, and the frequent others."""
    others = sorted(word for word, n in counts.items() if n >= _FEW and word not in dictionary)
    return {**dictionary, **{word: ways for word in others if (ways := _said(word))}}


def _said(word: str) -> tuple[Pronunciation, ...]:
    try:
        return pronunciations(word)
    except ValueError:
        return ()  # such as <unk> of a model of somebody else's: it cannot be said


def _ranks(lexicon: Dictionary) -> dict[str, int]:
    """Return the place of each word among those that sound like it, by the alphabet."""
    alike: dict[Pronunciation, list[str]] = {}
    for word, ways in lexicon.items():
        for said in ways:
            alike.setdefault(said, []).append(word)
    ranks: dict[str, int] = {}
    for words in alike.values():
        for rank, word in enumerate(sorted(words)):
            ranks[word] = max(ranks.get(word, 0), rank)
    return ranks
