"""A small Transformer over rows of features that looks back only."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["CausalTransformer"]


class _Block(nn.Module):
    """Attention and two linear layers, each around a normalisation (Xiong et al., ICML 2020)."""

    hidden: Tensor

    def __init__(self, n_rows: int, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mixed = nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)
        later = torch.full((n_rows, n_rows), float("-inf")).triu(1)
        self.register_buffer("hidden", later, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self._attention(self.norm1(x)))
        inner = self.dropout(nn.functional.gelu(self.inner(self.norm2(x))))
        return x + self.dropout(self.outer(inner))

    def _attention(self, x: Tensor) -> Tensor:
        n, rows, width = x.shape
        parts = self.queries_keys_values(x).reshape(n, rows, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(width // self.heads)
        attention = self.dropout(torch.softmax(scores + self.hidden, dim=-1))
        mixed: Tensor = self.mixed((attention @ values).transpose(1, 2).reshape(n, rows, width))
        return mixed


class CausalTransformer(nn.Module):
    """Values at each of a stretch of rows, from it and those before it.

    An encoder (Vaswani et al., NeurIPS 2017) with normalisation first and a causal mask, over
    bins of neural activity, each a token, as in the Neural Data Transformer (Ye & Pandarinath,
    "Representation learning for neural population activity with Neural Data Transformers", Neurons
    Behav. Data Anal. Theory, 2021). Unlike there it is trained on what was meant, not on hidden
    activity.

    Parameters
    ----------
    n_features, n_values
        Sizes of a row and of what is said of it.
    n_rows
        Rows of a stretch; each has a learned position.
    width, heads, layers, inner
        d_model, attention heads, blocks, and units of the two-layer part of each.
    dropout_in, dropout
        Of a row's features, and everywhere else.
    """

    def __init__(
        self,
        n_features: int,
        n_values: int,
        n_rows: int,
        width: int,
        heads: int,
        layers: int,
        inner: int,
        dropout_in: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.dropout_in = nn.Dropout(dropout_in)
        self.embedding = nn.Linear(n_features, width)
        self.positions = nn.Parameter(torch.zeros(n_rows, width))
        self.blocks = nn.Sequential(
            *(_Block(n_rows, width, heads, inner, dropout) for _ in range(layers))
        )
        self.norm = nn.LayerNorm(width)
        self.values = nn.Linear(width, n_values)
        nn.init.normal_(self.positions, std=0.02)

    def forward(self, rows: Tensor) -> Tensor:
        """Return (n, n_rows, n_values) of rows (n, n_rows, n_features)."""
        x = self.embedding(self.dropout_in(rows)) + self.positions
        values: Tensor = self.values(self.norm(self.blocks(x)))
        return values
