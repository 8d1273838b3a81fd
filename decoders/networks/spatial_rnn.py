"""A recurrent network whose units have places in space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from decoders.networks.spatial import distances, grid, spatial_penalty

__all__ = ["SpatialRnn"]

_LARGEST_GAIN = 0.98
"""Of the recurrent weights: a state fades to half within 34 rows."""


class SpatialRnn(nn.Module):
    """Noise on what enters, rectified recurrent units on a grid, one linear layer.

    The spatially embedded network of Achterberg et al., Nat. Mach. Intell. 5, 2023: recurrent
    weights begin orthogonal, and what they cost in space is `penalty`. Unlike there, the largest
    singular value of the recurrent weights stays below 1: a stream has no end.

    Parameters
    ----------
    n_features, n_values
        Sizes of a row and of what is said of it.
    shape
        Units along each side of the grid.
    noise
        Deviation of the Gaussian noise that is added to a row while it trains.
    dropout_in
        Share of a row's features that are left out while it trains.
    """

    distance: Tensor

    def __init__(
        self,
        n_features: int,
        n_values: int,
        shape: tuple[int, int, int],
        noise: float,
        dropout_in: float,
    ) -> None:
        super().__init__()
        self.noise = noise
        self.dropout_in = nn.Dropout(dropout_in)
        units = int(np.prod(shape))
        self.cells = nn.RNN(n_features, units, nonlinearity="relu", batch_first=True)
        self.values = nn.Linear(units, n_values)
        nn.init.xavier_uniform_(self.cells.weight_ih_l0)
        nn.init.orthogonal_(self.cells.weight_hh_l0, gain=_LARGEST_GAIN)
        nn.init.zeros_(self.cells.bias_ih_l0)
        nn.init.zeros_(self.cells.bias_hh_l0)
        distance = distances(grid(shape)).astype(np.float32)
        self.register_buffer("distance", torch.from_numpy(distance))

    @property
    def state_shape(self) -> tuple[int, int]:
        """(1, units): what is carried from row to row."""
        return (1, self.cells.hidden_size)

    def forward(self, rows: Tensor) -> Tensor:
        """Return (n, n_rows, n_values) of rows (n, n_rows, n_features), from a state of 0."""
        if self.training:
            rows = self.dropout_in(rows) + self.noise * torch.randn_like(rows)
        hidden, _ = self.cells(rows)
        values: Tensor = self.values(hidden)
        return values

    def step(self, row: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (1, n_values) and the next state of one row, (1, n_features), and a state."""
        cells, linear = self.cells, nn.functional.linear
        following = torch.relu(
            linear(row, cells.weight_ih_l0, cells.bias_ih_l0)
            + linear(state, cells.weight_hh_l0, cells.bias_hh_l0)
        )
        return self.values(following), following

    def constrain(self) -> None:
        """Bring the recurrent weights back to where every state fades, whatever comes in.

        Rectified units have no ceiling; with a largest singular value below 1 what a state adds
        to later ones shrinks from row to row.
        """
        weights = self.cells.weight_hh_l0
        largest = torch.linalg.matrix_norm(weights.detach(), ord=2)
        with torch.no_grad():
            weights.mul_((_LARGEST_GAIN / largest).clamp(max=1.0))

    def penalty(self) -> Tensor:
        """Return what the recurrent weights cost in space."""
        return spatial_penalty(self.cells.weight_hh_l0.T, self.distance)
