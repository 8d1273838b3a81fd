"""A recurrent network of the next word, to be trained; `decoders.speech.next_word` runs it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["NextWordNetwork"]

_NARROWER = 4.0
"""Each tail passes through so many times fewer numbers than the one before."""


class NextWordNetwork(nn.Module):
    """One layer of gated units between an embedding and an adaptive softmax.

    Parameters
    ----------
    n_words
        That it knows; number 0 is the unknown word.
    size
        Numbers a word, and units.
    ends
        The number of words in the head, and where each tail but the last ends.
    dropout
        Of what the units read and say.
    """

    def __init__(self, n_words: int, size: int, ends: list[int], dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_words, size, sparse=True)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.units = nn.GRU(size, size, batch_first=True)
        self.output = nn.AdaptiveLogSoftmaxWithLoss(
            size, n_words, ends, div_value=_NARROWER, head_bias=True
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: Tensor) -> Tensor:
        """Return how likely each word is after those before it, of sentences (n, n_words).

        Returns
        -------
        (n, n_words - 1), logarithms.
        """
        said, _ = self.units(self.dropout(self.embedding(words[:, :-1])))
        flat = self.dropout(said).flatten(0, 1)
        likely: Tensor = self.output(flat, words[:, 1:].flatten()).output
        return likely.view(len(words), -1)

    def arrays(self) -> dict[str, Tensor]:
        """Return its arrays by the names of `decoders.speech.next_word`, all but ``words``."""
        units, output = self.units, self.output
        tails: dict[str, Tensor] = {}
        for i, tail in enumerate(output.tail):
            tails |= {f"down {i}": tail[0].weight, f"up {i}": tail[1].weight}
        arrays = {
            "embedding": self.embedding.weight,
            "input": units.weight_ih_l0,
            "input bias": units.bias_ih_l0,
            "hidden": units.weight_hh_l0,
            "hidden bias": units.bias_hh_l0,
            "head": output.head.weight,
            "head bias": output.head.bias,
            "ends": torch.tensor(output.cutoffs),
            **tails,
        }
        return {name: array.detach() for name, array in arrays.items()}
