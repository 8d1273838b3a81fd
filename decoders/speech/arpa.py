"""n-gram models in the ARPA format, with places for new words.

Words that sound alike would often be exactly as likely, and which of them a beam search keeps
would then be chance; so the words of one sound are told apart by millionths of a power of ten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from decoders.speech.folder import new_word
from decoders.speech.kneser_ney import Grams
from decoders.storage import ArtifactError

__all__ = ["LEVELS", "copy", "words_of", "write"]

LEVELS = (-6.0, -5.0, -4.0, -3.0, -2.0)
"""log10 of the probability of a new word, by its boost."""

_PLACES = 64
_NEVER = -99.0
_APART = 2e-6


def write(
    path: Path, tables: Sequence[Grams], vocabulary: Sequence[str], ranks: Mapping[str, int]
) -> tuple[int, ...]:
    """Write a model; return how many places for new words it has at each level.

    Parameters
    ----------
    path
        The new file.
    tables, vocabulary
        From `decoders.speech.kneser_ney`.
    ranks
        Of each word among those that sound like it.
    """
    less = np.array([_APART * ranks.get(word, 0) for word in vocabulary])
    with path.open("w", encoding="utf-8") as file:
        _begin(file, [len(table.words) for table in tables])
        prefixes: list[str] = [""]
        for n, table in enumerate(tables, 1):
            file.write(f"\n\\{n}-grams:\n")
            words = [vocabulary[w] for w in table.words.tolist()]
            contexts = table.contexts.tolist()
            names = [f"{prefixes[c]}{w}" for c, w in zip(contexts, words, strict=True)]
            likely = np.log10(table.probabilities) - less[table.words]
            if n == 1:
                likely[vocabulary.index("<s>")] = _NEVER
            left = np.log10(table.backoffs)
            for name, p, b in zip(names, likely.tolist(), left.tolist(), strict=True):
                after = f"\t{b:.6f}" if n < len(tables) else ""
                file.write(f"{p:.6f}\t{name}{after}\n")
            if n == 1:
                file.writelines(_new_words(has_backoff=len(tables) > 1))
            prefixes = [f"{name} " for name in names]
        file.write("\n\\end\\\n")
    return (_PLACES,) * len(LEVELS)


def words_of(source: Path) -> list[str]:
    """Return the words of a model in the ARPA format.

    Raises
    ------
    ArtifactError
        It is none.
    """
    words, section = [], 0
    with source.open(encoding="utf-8") as lines:
        for line in lines:
            section = _section(line, section)
            if section > 1:
                break
            if section and "\t" in line:
                words.append(line.rstrip("\n").split("\t")[1])
    if not words:
        raise ArtifactError(f"{source} is no n-gram model in the ARPA format")
    return words


def copy(
    source: Path, path: Path, ranks: Mapping[str, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Copy a model of somebody else's; return how many n-grams and places for new words it has.

    Parameters
    ----------
    source, path
        The model, and the new file.
    ranks
        As in `write`.
    """
    counts: list[int] = []
    section = 0
    with source.open(encoding="utf-8") as lines, path.open("w", encoding="utf-8") as file:
        for line in lines:
            before, section = section, _section(line, section)
            if line.startswith("ngram "):
                counts.append(int(line.partition("=")[2]))
                continue
            if before == 0 and section == 1:
                _begin(file, counts)
                file.write("\n")
            if before == 1 and section != 1:
                file.writelines(_new_words(has_backoff=len(counts) > 1))
                file.write("\n")
            if section or line.startswith("\\end"):
                file.write(_told_apart(line, ranks) if section == before else line)
    return tuple(counts), (_PLACES,) * len(LEVELS)


def _section(line: str, before: int) -> int:
    """Return the order of the n-grams that a line stands among; 0: of none."""
    if not line.startswith("\\"):
        return before
    return int(line[1 : line.index("-")]) if "-grams:" in line else 0


def _told_apart(line: str, ranks: Mapping[str, int]) -> str:
    likely, tab, rest = line.partition("\t")
    rank = ranks.get(rest.rstrip("\n").split("\t")[0].rpartition(" ")[2], 0) if tab else 0
    return f"{float(likely) - _APART * rank:.6f}\t{rest}" if rank else line


def _begin(file: TextIO, counts: Sequence[int]) -> None:
    file.write("\\data\\\n")
    for n, count in enumerate(counts, 1):
        extra = _PLACES * len(LEVELS) if n == 1 else 0
        file.write(f"ngram {n}={count + extra}\n")


def _new_words(*, has_backoff: bool) -> Iterator[str]:
    after = "\t0" if has_backoff else ""
    for level, likely in enumerate(LEVELS):
        for i in range(_PLACES):
            yield f"{likely:.1f}\t{new_word(level, i)}{after}\n"
