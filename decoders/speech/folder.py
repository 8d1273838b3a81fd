"""A language on disk: a folder that ``bci language`` makes, checked whole before it is used.

::

    manifest.json           what it is, and the SHA-256 of each file
    lexicon.txt             WORD <tab> PHONEMES, a line for each pronunciation
    ngram.arpa              the n-gram language model, which KenLM reads
    next_word.safetensors   a network of the next word, where one was trained

The n-gram model has words without a meaning of their own, ``<new:LEVEL:NUMBER>``, in whose place a
user's words are put: KenLM's vocabulary is fixed once it is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from decoders.storage import ArtifactError
from devices.speech.phonemes import phoneme_ids

__all__ = [
    "ARPA",
    "FORMAT",
    "LEXICON",
    "NEXT_WORD",
    "LanguageFolder",
    "Lexeme",
    "new_word",
    "write_manifest",
]

FORMAT = 1
LEXICON = "lexicon.txt"
ARPA = "ngram.arpa"
NEXT_WORD = "next_word.safetensors"
_MANIFEST = "manifest.json"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A word, and one way to say it, as numbers in `devices.speech.phonemes.CLASSES`."""

    word: str
    phonemes: tuple[int, ...]


def new_word(level: int, number: int) -> str:
    """Return the name in the n-gram model of a place for a new word."""
    return f"<new:{level}:{number}>"


@dataclass(frozen=True, slots=True)
class LanguageFolder:
    """What the manifest says.

    Parameters
    ----------
    folder
        Where it is.
    order
        The longest n-gram.
    n_words
        Words in the lexicon.
    new_words
        For each level, how many places there are for new words; level by level a new word counts
        as ten times as likely.
    files
        The SHA-256 of each file.
    """

    folder: Path
    order: int
    n_words: int
    new_words: tuple[int, ...]
    files: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path) -> LanguageFolder:
        """Read the manifest, and check all files against it.

        Raises
        ------
        ArtifactError
            There is none, a file is missing or changed, or the format is another.
        """
        manifest = _manifest(folder)
        files = {str(name): str(sha) for name, sha in manifest["files"].items()}
        for name, sha in files.items():
            if (found := _sha256(folder / name)) != sha:
                raise ArtifactError(
                    f"{folder / name} is not the file that the manifest is of (SHA-256 "
                    f"{found[:12]}, not {sha[:12]}); make the folder anew with bci language"
                )
        if missing := {LEXICON, ARPA} - files.keys():
            raise ArtifactError(f"{folder} lacks {', '.join(sorted(missing))}")
        levels = tuple(int(n) for n in manifest["new_words"])
        return cls(folder, int(manifest["order"]), int(manifest["n_words"]), levels, files)

    @property
    def arpa(self) -> Path:
        """The n-gram model."""
        return self.folder / ARPA

    @property
    def next_word(self) -> Path | None:
        """The network of the next word; None if it has none."""
        return self.folder / NEXT_WORD if NEXT_WORD in self.files else None

    @property
    def hash(self) -> str:
        """Names this very language in 12 hex digits."""
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()[:12]

    def lexemes(self) -> Iterator[Lexeme]:
        """Read the lexicon, in the order of the file.

        Raises
        ------
        ArtifactError
            A line is not a word, a tab and phonemes; says which.
        """
        path = self.folder / LEXICON
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                word, _, said = line.rstrip("\n").partition("\t")
                try:
                    phonemes = phoneme_ids(tuple(said.split()))
                except ValueError as error:
                    raise ArtifactError(f"{path}, line {number}: {error}") from None
                if not word or not phonemes:
                    raise ArtifactError(
                        f"{path}, line {number}: {line.rstrip()!r} is not a word, a tab and its "
                        "phonemes"
                    )
                yield Lexeme(word, phonemes)


def write_manifest(
    folder: Path, *, order: int, n_words: int, new_words: Sequence[int], about: Mapping[str, Any]
) -> LanguageFolder:
    """Write the manifest of the files that are in `folder`; `about` says what it was made from."""
    names = sorted(p.name for p in folder.iterdir() if p.name != _MANIFEST)
    files = {name: _sha256(folder / name) for name in names}
    made = LanguageFolder(folder, order, n_words, tuple(new_words), files)
    manifest = {k: v for k, v in asdict(made).items() if k != "folder"}
    text = json.dumps({"format": FORMAT, **manifest, "about": dict(about)}, indent=2)
    (folder / _MANIFEST).write_text(text + "\n", encoding="utf-8")
    return made


def write_lexicon(path: Path, entries: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Write words and their phonemes, by name."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{word}\t{' '.join(phonemes)}\n" for word, phonemes in entries)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(
            f"{folder} holds no language: {_MANIFEST} is missing; make one with "
            f"bci language CORPUS.txt -o {folder}"
        ) from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise ArtifactError(
            f"{folder} has format {found!r}; this version reads {FORMAT}; make it anew with "
            "bci language"
        )
    missing = {"order", "n_words", "new_words", "files"} - manifest.keys()
    if missing:
        raise ArtifactError(f"{path} lacks {', '.join(sorted(missing))}")
    return manifest


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from None
    return digest.hexdigest()
