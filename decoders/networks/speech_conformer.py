"""A small Conformer that looks back only: rows to phonemes, by convolution and attention."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from decoders.networks.speech_gru import DayLayers, Utterances

__all__ = ["ConformerShape", "SpeechConformer"]


@dataclass(frozen=True, slots=True)
class ConformerShape:
    """The sizes of a network.

    Parameters
    ----------
    features, reduced
        Of a row; and what a linear layer brings it to, 0: there is none.
    patch, stride
        Rows that one step reads together, and rows from one step to the next.
    width, heads, layers, inner
        Numbers of a step, attention heads, blocks, and units of each of a block's two feed-forward
        parts.
    kernel, context
        Steps, the newest included, that a convolution and an attention look at.
    classes
        What is said of each step.
    """

    features: int
    reduced: int = 0
    patch: int = 14
    stride: int = 4
    width: int = 128
    heads: int = 4
    layers: int = 3
    inner: int = 256
    kernel: int = 8
    context: int = 32
    classes: int = 41


class SpeechConformer(nn.Module):
    """Day layer, patches of rows, Conformer blocks that look back only: scores of classes.

    The blocks are those of Gulati et al. ("Conformer: Convolution-augmented Transformer for Speech
    Recognition", Interspeech 2020), with these departures, which let a live run carry a state of
    fixed size: attention reaches back `context` steps and no further; the convolution looks back
    only; its batch normalisation is a layer normalisation; and positions are learned vectors of the
    distance that are added to the keys (Shaw et al., NAACL 2018). A normalisation that a linear
    layer follows has no gain of its own: the linear layer has it.

    Parameters
    ----------
    shape
        Its sizes.
    days
        Day layers.
    dropout_in, dropout
        Of what the day layer puts out, and of everything within.
    """

    def __init__(
        self, shape: ConformerShape, days: int = 1, dropout_in: float = 0.1, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.shape = shape
        self.day = DayLayers(days, shape.features)
        self.dropout_in = nn.Dropout(dropout_in)
        self.reduce = (
            nn.Linear(shape.features, shape.reduced, bias=False) if shape.reduced else nn.Identity()
        )
        self.input = nn.Linear(shape.patch * (shape.reduced or shape.features), shape.width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(shape, dropout) for _ in range(shape.layers))
        self.scores = nn.Linear(shape.width, shape.classes)

    def forward(self, utterances: Utterances) -> Tensor:
        """Return (n, n_steps, n_classes) scores; nothing is known of what was before."""
        rows = self.reduce(self.dropout_in(self.day(utterances.rows, utterances.days)))
        patches = rows.unfold(1, self.shape.patch, self.shape.stride).transpose(2, 3).flatten(2)
        x = self.dropout(self.input(patches))
        for block in self.blocks:
            x = block(x)
        said: Tensor = self.scores(x)
        return said


class _Block(nn.Module):
    def __init__(self, shape: ConformerShape, dropout: float) -> None:
        super().__init__()
        self.first = _FeedForward(shape, dropout)
        self.attention = _Attention(shape, dropout)
        self.convolution = _Convolution(shape, dropout)
        self.second = _FeedForward(shape, dropout)
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.5 * self.first(x)
        x = x + self.attention(x)
        x = x + self.convolution(x)
        normed: Tensor = self.norm(x + 0.5 * self.second(x))
        return normed


class _FeedForward(nn.Module):
    def __init__(self, shape: ConformerShape, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(shape.width, shape.inner)
        self.outer = nn.Linear(shape.inner, shape.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.dropout(nn.functional.silu(self.inner(_normed(x))))
        put_out: Tensor = self.dropout(self.outer(hidden))
        return put_out


class _Attention(nn.Module):
    """In chunks as long as the context: a chunk's steps look at their own chunk and the last."""

    is_seen: Tensor

    def __init__(self, shape: ConformerShape, dropout: float) -> None:
        super().__init__()
        self.heads, self.context = shape.heads, shape.context
        self.parts = nn.Linear(shape.width, 3 * shape.width)
        self.mixed = nn.Linear(shape.width, shape.width)
        # Of the keys that a step sees, the oldest first.
        self.positions = nn.Parameter(
            torch.randn(shape.heads, shape.context, shape.width // shape.heads) * 0.02
        )
        self.dropout = nn.Dropout(dropout)
        back = torch.arange(self.context)[:, None] + self.context - torch.arange(2 * self.context)
        self.register_buffer("is_seen", (back >= 0) & (back < self.context), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        n, steps, width = x.shape
        queries, keys, values = self._chunks(self.parts(_normed(x)))
        scores = queries @ _with_the_last(keys).transpose(-1, -2)
        scores = scores + _shifted(queries @ self.positions.transpose(-1, -2))
        scores = scores / math.sqrt(width // self.heads)
        is_seen = self.is_seen.repeat(scores.shape[1], 1, 1, 1)
        is_seen[0, ..., : self.context] = False  # before the first chunk there is nothing
        shares = torch.softmax(scores.masked_fill(~is_seen, -math.inf), dim=-1)
        said = (shares @ _with_the_last(values)).transpose(2, 3).reshape(n, -1, width)
        mixed: Tensor = self.dropout(self.mixed(said[:, :steps]))
        return mixed

    def _chunks(self, parts: Tensor) -> Tensor:
        """Return (3, n, n_chunks, heads, context, width / heads) of (n, n_steps, 3 width)."""
        n, steps, _ = parts.shape
        whole = nn.functional.pad(parts, (0, 0, 0, -steps % self.context))
        cut = whole.reshape(n, -1, self.context, 3, self.heads, self.positions.shape[2])
        return cut.permute(3, 0, 1, 4, 2, 5)


class _Convolution(nn.Module):
    def __init__(self, shape: ConformerShape, dropout: float) -> None:
        super().__init__()
        self.opened = nn.Linear(shape.width, 2 * shape.width)
        self.depthwise = nn.Conv1d(shape.width, shape.width, shape.kernel, groups=shape.width)
        self.norm = nn.LayerNorm(shape.width)
        self.closed = nn.Linear(shape.width, shape.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        values, gates = self.opened(_normed(x)).chunk(2, dim=2)
        gated = (values * torch.sigmoid(gates)).transpose(1, 2)
        before = self.depthwise.kernel_size[0] - 1
        followed = self.depthwise(nn.functional.pad(gated, (before, 0))).transpose(1, 2)
        put_out: Tensor = self.dropout(self.closed(nn.functional.silu(self.norm(followed))))
        return put_out


def _normed(x: Tensor) -> Tensor:
    return nn.functional.layer_norm(x, x.shape[-1:])


def _with_the_last(chunks: Tensor) -> Tensor:
    """Return (n, n_chunks, heads, 2 context, …): each chunk (dimension 3) behind the one before."""
    before = nn.functional.pad(chunks[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
    return torch.cat([before, chunks], dim=3)


def _shifted(scores: Tensor) -> Tensor:
    """Return (…, c, 2 c) of scores (…, c, c): those of step i at the keys i + 1 to i + c.

    By padding and cutting anew (Dai et al., "Transformer-XL", ACL 2019, appendix B).
    """
    context = scores.shape[-1]
    wide = nn.functional.pad(scores, (1, context)).flatten(-2)
    return wide[..., : 2 * context * context].unflatten(-1, (context, 2 * context))
