"""What every network begins with, and how several are one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["LIMIT", "DayStandards", "Mean", "Standardized", "limit_norms"]

LIMIT = 10.0


class _Spread(nn.Module):
    """Means, and one over deviations, that are no parameters."""

    mean: Tensor
    inverse: Tensor

    def __init__(
        self, mean: NDArray[np.float32], inverse: NDArray[np.float32], limit: float = LIMIT
    ) -> None:
        super().__init__()
        self.limit = limit
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("inverse", torch.from_numpy(inverse))


class Standardized(_Spread):
    """Zero mean and a deviation of 1 by fixed numbers; cut to `limit` deviations of either sign.

    So an artefact of 1e12 moves a network no further than one of ten deviations.

    Parameters
    ----------
    mean, inverse
        Of the training, float32; they spread over the inputs as arrays do.
    limit
        In deviations.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` in deviations."""
        return torch.clamp((x - self.mean) * self.inverse, -self.limit, self.limit)


class DayStandards(_Spread):
    """`Standardized`, by numbers of each day.

    Parameters
    ----------
    mean, inverse
        (n_days, n_features) float32.
    limit
        In deviations.
    """

    def forward(self, rows: Tensor, days: Tensor) -> Tensor:
        """Return (n, n_features) rows in deviations of the days (n,) that they are of."""
        found = torch.empty_like(rows)
        for day in range(len(self.mean)):
            at = days == day
            found[at] = self.of_day(day)(rows[at])
        return found

    def of_day(self, day: int) -> Standardized:
        """Return what rows of one day pass."""
        return Standardized(self.mean[day].numpy(), self.inverse[day].numpy(), self.limit)


class Mean(nn.Module):
    """Several classifiers of windows as one: the mean of their probabilities.

    Parameters
    ----------
    members
        Each gives (n, n_classes) scores.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, windows: Tensor) -> Tensor:
        """Return (n, n_classes) probabilities."""
        said = [torch.softmax(member(windows), dim=1) for member in self.members]
        return torch.stack(said).mean(dim=0)


def limit_norms(weight: Tensor, largest: float) -> None:
    """Shrink, in place, the rows of `weight` whose Euclidean norm is above `largest`."""
    rows = weight.flatten(1)
    norms = rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
    rows *= (largest / norms).clamp(max=1.0)
