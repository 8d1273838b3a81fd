"""The recurrent network of the public Brain-to-Text '25 baseline: rows to phonemes, causal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["DayLayers", "GruShape", "SpeechGru", "Utterances", "n_steps"]


class Utterances(NamedTuple):
    """Stretches of rows, side by side.

    Parameters
    ----------
    rows
        (n, n_rows, n_features); those past the end of a stretch are anything.
    days
        (n,) int64: which day each is of.
    """

    rows: Tensor
    days: Tensor


@dataclass(frozen=True, slots=True)
class GruShape:
    """The sizes of a network.

    Parameters
    ----------
    features, reduced
        Of a row; and what a linear layer brings it to, 0: there is none.
    patch, stride
        Rows that one step reads together, and rows from one step to the next.
    units, layers
        Of the recurrent part.
    classes
        What is said of each step.
    """

    features: int
    reduced: int = 0
    patch: int = 14
    stride: int = 4
    units: int = 768
    layers: int = 5
    classes: int = 41

    @property
    def width(self) -> int:
        """Numbers of a row that a patch holds."""
        return self.reduced or self.features


def n_steps(n_rows: int, patch: int, stride: int) -> int:
    """Return how many steps are complete after so many rows."""
    return max(0, (n_rows - patch) // stride + 1)


class DayLayers(nn.Module):
    """An affine map of a row's features for each day, then softsign: x / (1 + |x|).

    What is learned is the departure from the identity, so that weight decay draws towards it.

    Parameters
    ----------
    days, features
        How many maps, of how many features.
    """

    def __init__(self, days: int, features: int) -> None:
        super().__init__()
        self.departures = nn.Parameter(torch.zeros(days, features, features))
        self.biases = nn.Parameter(torch.zeros(days, features))

    def forward(self, rows: Tensor, days: Tensor) -> Tensor:
        """Return (n, n_rows, n_features) of as many rows, and of days (n,)."""
        moved = rows + torch.bmm(rows, self.departures[days]) + self.biases[days].unsqueeze(1)
        return nn.functional.softsign(moved)


class SpeechGru(nn.Module):
    """Day layer, dropout, patches of rows, recurrent layers, one linear layer: scores of classes.

    After the public baseline of Brain-to-Text '25 (Card et al., "An accurate and rapidly
    calibrating speech neuroprosthesis", N. Engl. J. Med. 391, 2024, and its repository
    ``nejm-brain-to-text``): orthogonal recurrent and Xavier input weights, a learned initial state
    that all layers share. Not in the baseline: a linear layer that reduces each row before patches
    are made of it, for small machines.

    Parameters
    ----------
    shape
        Its sizes.
    days
        Day layers.
    dropout_in, dropout
        Of what the day layer puts out, and between the recurrent layers.
    """

    def __init__(
        self, shape: GruShape, days: int = 1, dropout_in: float = 0.2, dropout: float = 0.4
    ) -> None:
        super().__init__()
        self.shape = shape
        self.day = DayLayers(days, shape.features)
        self.dropout_in = nn.Dropout(dropout_in)
        self.reduce = (
            nn.Linear(shape.features, shape.reduced, bias=False) if shape.reduced else nn.Identity()
        )
        self.cells = nn.GRU(
            shape.patch * shape.width,
            shape.units,
            shape.layers,
            batch_first=True,
            dropout=dropout if shape.layers > 1 else 0.0,
        )
        for name, parameter in self.cells.named_parameters():
            if "weight_hh" in name:
                nn.init.orthogonal_(parameter)
            if "weight_ih" in name:
                nn.init.xavier_uniform_(parameter)
        self.scores = nn.Linear(shape.units, shape.classes)
        nn.init.xavier_uniform_(self.scores.weight)
        self.initial = nn.Parameter(nn.init.xavier_uniform_(torch.zeros(1, shape.units))[0])

    def forward(self, utterances: Utterances, state: Tensor | None = None) -> Tensor:
        """Return (n, n_steps, n_classes) scores, from a state (layers, n, units) or the first."""
        said, _ = self.follow(utterances, state)
        return said

    def follow(self, utterances: Utterances, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the scores, and the state that the last step leaves."""
        rows = self.reduce(self.dropout_in(self.day(utterances.rows, utterances.days)))
        patches = rows.unfold(1, self.shape.patch, self.shape.stride).transpose(2, 3).flatten(2)
        if state is None:
            state = self.first(len(rows))
        hidden, state = self.cells(patches, state)
        return self.scores(hidden), state

    def first(self, n: int) -> Tensor:
        """Return (layers, n, units): the state that `n` stretches begin with."""
        return self.initial.expand(self.shape.layers, n, self.shape.units).contiguous()
