"""Trains a network of the next word on the sentences of a text: minutes on one processor."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from decoders.networks.next_word import NextWordNetwork
from decoders.speech.kneser_ney import number
from decoders.speech.next_word import SPECIAL
from decoders.speech.text import Sentence
from decoders.storage import ArtifactError
from decoders.training.loop import reproducible

__all__ = ["NextWordRecipe", "Trained", "train_next_word"]

_ENDS = (500, 3000)  # about what spares most: few words are most of what is said
_HELD_OUT = 50  # of so many sentences one judges the epochs
_CLIP = 1.0


@dataclass(frozen=True, slots=True)
class NextWordRecipe:
    """How a network of the next word is trained.

    Parameters
    ----------
    size
        Numbers a word, and units.
    most_words, rarest
        It knows at most so many words, and none that is rarer.
    epochs, batch, learning_rate, dropout, seed
        Of the training; the learning rate falls to nothing. A batch is of about so many words.
    """

    size: int = 128
    most_words: int = 20_000
    rarest: int = 5
    epochs: int = 2
    batch: int = 1536
    learning_rate: float = 3e-3
    dropout: float = 0.2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it.

    Parameters
    ----------
    words, arrays
        For `decoders.speech.next_word.write`.
    perplexity
        On sentences of the text that it has not learned from, the ends of sentences too; words that
        it does not know are one.
    epoch
        Which epoch that is, the best, from 1 on.
    """

    words: list[str]
    arrays: dict[str, NDArray[Any]]
    perplexity: float
    epoch: int


def train_next_word(
    sentences: Sequence[Sentence],
    lexicon: frozenset[str],
    recipe: NextWordRecipe = NextWordRecipe(),
    tell: Callable[[float], None] = lambda share: None,
) -> Trained:
    """Train a network on sentences.

    Parameters
    ----------
    sentences
        The text.
    lexicon
        Words that can be said; it knows no others.
    recipe
        How.
    tell
        Told how much is done.

    Raises
    ------
    ArtifactError
        The text is too short.
    """
    words = _words(sentences, lexicon, recipe)
    rows = _numbered(sentences, words)
    held_out, learned = rows[::_HELD_OUT], [r for i, r in enumerate(rows) if i % _HELD_OUT]
    if not learned or len(words) <= len(SPECIAL) + 1:
        raise ArtifactError(
            f"a network of the next word needs more than {_HELD_OUT} sentences with words that "
            f"come {recipe.rarest} times; this text has {len(rows)} sentences"
        )
    with reproducible():
        torch.manual_seed(recipe.seed)
        ends = [end for end in _ENDS if end < len(words) - 1] or [len(words) // 2]
        network = NextWordNetwork(len(words), recipe.size, ends, recipe.dropout)
        perplexity, epoch = _train(network, learned, held_out, recipe, tell)
        arrays = {name: a.numpy().copy() for name, a in network.arrays().items()}
    return Trained(words, arrays, perplexity, epoch)


def _words(
    sentences: Sequence[Sentence], lexicon: frozenset[str], recipe: NextWordRecipe
) -> list[str]:
    counts = Counter(word for words in sentences for word in words if word in lexicon)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    known = [word for word, n in ranked if n >= recipe.rarest]
    return [*SPECIAL, *known[: recipe.most_words - len(SPECIAL)]]


def _numbered(sentences: Sequence[Sentence], words: Sequence[str]) -> list[NDArray[np.int64]]:
    """Return the numbers of each sentence, from its begin to its end."""
    row = number(sentences, words).astype(np.int64)
    begins = np.flatnonzero(row == SPECIAL.index("<s>"))
    return np.split(row, begins[1:])


def _batches(
    rows: Sequence[NDArray[np.int64]], n_words: int, random: np.random.Generator
) -> list[torch.Tensor]:
    """Return sentences side by side, those of one length together, in any order."""
    by_length: dict[int, list[int]] = {}
    for i in random.permutation(len(rows)).tolist():
        by_length.setdefault(len(rows[i]), []).append(i)
    parts = [
        part
        for length, numbers in sorted(by_length.items())
        for part in _parts(numbers, max(n_words // length, 1))
    ]
    order = random.permutation(len(parts)).tolist()
    return [torch.from_numpy(np.stack([rows[i] for i in parts[n]])) for n in order]


def _parts(numbers: list[int], size: int) -> Iterator[list[int]]:
    for begin in range(0, len(numbers), size):
        yield numbers[begin : begin + size]


def _train(
    network: NextWordNetwork,
    learned: Sequence[NDArray[np.int64]],
    held_out: Sequence[NDArray[np.int64]],
    recipe: NextWordRecipe,
    tell: Callable[[float], None],
) -> tuple[float, int]:
    """Train, and leave the network as it was after its best epoch; return that one's perplexity."""
    random = np.random.default_rng(recipe.seed)
    optimizers = _optimizers(network, recipe.learning_rate)
    best, best_epoch, kept = math.inf, 0, copy.deepcopy(network.state_dict())
    for epoch in range(recipe.epochs):
        batches = _batches(learned, recipe.batch, random)
        for i, batch in enumerate(batches):
            done = (epoch + i / len(batches)) / recipe.epochs
            _learn(network, optimizers, batch, recipe.learning_rate * (1 - done))
            tell(done)
        found = _perplexity(network, _batches(held_out, recipe.batch, random))
        if found < best:
            best, best_epoch, kept = found, epoch + 1, copy.deepcopy(network.state_dict())
    network.load_state_dict(kept)
    return best, best_epoch


def _optimizers(network: NextWordNetwork, rate: float) -> list[torch.optim.Optimizer]:
    """Return one for the words' numbers, of which a batch has few, and one for all else."""
    numbers = list(network.embedding.parameters())
    others = [p for p in network.parameters() if p is not numbers[0]]
    return [torch.optim.SparseAdam(numbers, rate), torch.optim.Adam(others, rate, fused=True)]


def _learn(
    network: NextWordNetwork,
    optimizers: Sequence[torch.optim.Optimizer],
    batch: torch.Tensor,
    rate: float,
) -> None:
    network.train()
    loss = -network(batch).mean()
    loss.backward()
    nn.utils.clip_grad_norm_([*network.units.parameters(), *network.output.parameters()], _CLIP)
    for optimizer in optimizers:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()


def _perplexity(network: NextWordNetwork, batches: Sequence[torch.Tensor]) -> float:
    network.eval()
    with torch.no_grad():
        likely = [network(batch) for batch in batches]
    n = sum(each.numel() for each in likely)
    return math.exp(-math.fsum(float(each.double().sum()) for each in likely) / n)
