"""Gated recurrent networks over rows of features: LSTM and GRU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["Recurrent", "RecurrentStep"]


class Recurrent(nn.Module):
    """Dropout, recurrent layers, dropout, one linear layer: values at each row.

    LSTM: Hochreiter & Schmidhuber, Neural Comput. 9, 1997, with the forget gate of Gers et al.,
    2000. GRU: Cho et al., EMNLP 2014.

    Parameters
    ----------
    n_features, n_values
        Sizes of a row and of what is said of it.
    cell, units, layers
        Of the recurrent part.
    dropout_in, dropout
        Of a row's features, and of what the recurrent layers put out.
    offsets
        Deviation of an offset of each feature, drawn anew for each sequence that it learns from.
    """

    def __init__(
        self,
        n_features: int,
        n_values: int,
        cell: Literal["lstm", "gru"],
        units: int,
        layers: int,
        dropout_in: float,
        dropout: float,
        offsets: float = 0.0,
    ) -> None:
        super().__init__()
        self.offsets = offsets
        kind = nn.LSTM if cell == "lstm" else nn.GRU
        self.is_lstm = cell == "lstm"
        self.dropout_in = nn.Dropout(dropout_in)
        self.cells = kind(
            n_features,
            units,
            layers,
            batch_first=True,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.values = nn.Linear(units, n_values)

    @property
    def state_shape(self) -> tuple[int, int, int]:
        """(1 or 2, layers, units): what is carried from row to row; an LSTM has a cell besides."""
        return (1 + self.is_lstm, self.cells.num_layers, self.cells.hidden_size)

    def forward(self, rows: Tensor) -> Tensor:
        """Return (n, n_rows, n_values) of rows (n, n_rows, n_features), from a state of 0."""
        if self.training and self.offsets:
            rows = rows + self.offsets * torch.randn_like(rows[:, :1])
        hidden, _ = self.cells(self.dropout_in(rows))
        values: Tensor = self.values(self.dropout(hidden))
        return values

    def step(self, row: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (1, n_values) and the next state of one row, (1, n_features), and a state."""
        before = state.unsqueeze(2)
        carried = (before[0], before[1]) if self.is_lstm else before[0]
        hidden, after = self.cells(row.unsqueeze(1), carried)
        following = torch.stack(after) if self.is_lstm else after.unsqueeze(0)
        return self.values(hidden[:, 0]), following.squeeze(2)


class RecurrentStep(nn.Module):
    """One row in, values out, for several networks at once: the mean of what they say.

    Parameters
    ----------
    before, after
        Turns a row into what the networks read, and what they say into values.
    members
        The networks, of one shape, with a ``step`` as `Recurrent` has.
    """

    def __init__(self, before: nn.Module, members: Sequence[nn.Module], after: nn.Module) -> None:
        super().__init__()
        self.before, self.after = before, after
        self.members = nn.ModuleList(members)

    def forward(self, row: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (1, n_values) and the next state, (members, *state_shape)."""
        read = self.before(row)
        said, states = [], []
        for number, member in enumerate(self.members):
            values, following = member.step(read, state[number])
            said.append(values)
            states.append(following)
        return self.after(torch.stack(said).mean(dim=0)), torch.stack(states)
