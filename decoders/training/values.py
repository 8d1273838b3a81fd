"""Networks that say values of rows that follow each other: trained, averaged, as ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from decoders.decoder import Training
from decoders.networks.standard import LIMIT, Standardized
from decoders.stage import Mismatch
from decoders.training.journal import SILENT, Journal
from decoders.training.loop import Objective, train
from decoders.training.parts import crops, held_out_rows, spread
from decoders.training.recipe import Trained

__all__ = ["Stretches", "Trainees", "Unstandardized", "train_members"]


@dataclass(frozen=True, slots=True)
class Stretches:
    """How rows are cut for networks that read them in a row.

    Parameters
    ----------
    length
        Rows of a stretch.
    stride
        Rows from the start of one to the start of the next.
    warm_up
        Rows at the start of each that are read, and not judged.
    """

    length: int
    stride: int
    warm_up: int


@dataclass(frozen=True, slots=True)
class Trainees:
    """What came of a training.

    Parameters
    ----------
    before, after
        What a row passes before the networks, and what they say after.
    members
        The networks, on standardized rows and values.
    """

    before: nn.Module
    members: Sequence[nn.Module]
    after: nn.Module


class Unstandardized(nn.Module):
    """Values in their unit, of values in deviations.

    Parameters
    ----------
    mean, deviation
        Of the training, (n_values,) float32.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: NDArray[np.float32], deviation: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("deviation", torch.from_numpy(deviation))

    def forward(self, values: Tensor) -> Tensor:
        """Return `values`, (…, n_values), in their unit."""
        return values * self.deviation + self.mean


def train_members(
    recipe: Trained,
    training: Training,
    stretches: Stretches,
    build: Callable[[int, int], nn.Module],
    journal: Journal = SILENT,
    penalty: Callable[[nn.Module], Tensor] | None = None,
    constrain: Callable[[nn.Module], None] | None = None,
    limit: float = LIMIT,
) -> Trainees:
    """Train the recipe's networks on stretches of rows; call it within `reproducible`.

    Parameters
    ----------
    recipe, training, journal
        As in `Trained.train`.
    stretches
        How rows are cut.
    build
        Makes a network for so many features and so many values; it turns (n, length, n_features)
        into (n, length, n_values).
    penalty
        Of a network itself, added to the mean square error while it trains.
    constrain
        Brings a network's weights back to where they may be, after every step.
    limit
        Deviations to which a feature is cut, while it trains and live.

    Raises
    ------
    Mismatch
        There are not enough rows for one stretch to learn from and one to check on.
    """
    rows = spread(training.features)
    values = training.targets.astype(np.float64)
    mean, inverse = spread(values)
    before = Standardized(*rows, limit)
    x = before(torch.from_numpy(training.features.astype(np.float32)))
    y = torch.from_numpy(((values - mean) * inverse).astype(np.float32))
    members = []
    for number in range(recipe.members):
        held = held_out_rows(len(x), recipe.validation, number)
        fitting, checking = (
            _Cut(x, y, crops(training.groups, taken, stretches.length, stride), stretches.length)
            for taken, stride in (
                (~held, stretches.stride),
                (held, stretches.length - stretches.warm_up),
            )
        )
        _check_enough(fitting, checking, stretches, len(x))
        schedule = recipe.schedule(number)
        torch.manual_seed(schedule.seed)
        network = build(x.shape[1], y.shape[1])
        train(
            network,
            fitting,
            checking,
            Objective(_error(stretches.warm_up), penalty, constrain),
            schedule,
            journal=journal.part(number, recipe.members),
            name=f"member-{number + 1}",
        )
        members.append(network)
    deviation = np.divide(1.0, inverse, out=np.zeros_like(inverse), where=inverse > 0)
    return Trainees(before.eval(), members, Unstandardized(mean, deviation).eval())


class _Cut:
    """Stretches of rows, each by its first."""

    def __init__(self, x: Tensor, y: Tensor, firsts: NDArray[np.int64], length: int) -> None:
        self._x, self._y, self._firsts = x, y, firsts
        self._along = np.arange(length)

    def __len__(self) -> int:
        return len(self._firsts)

    def batch(self, at: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(self._firsts[at][:, np.newaxis] + self._along)
        return self._x[rows], self._y[rows]


def _error(warm_up: int) -> Callable[[Tensor, Tensor], Tensor]:
    def mean_square(said: Tensor, meant: Tensor) -> Tensor:
        return nn.functional.mse_loss(said[:, warm_up:], meant[:, warm_up:])

    return mean_square


def _check_enough(fitting: _Cut, checking: _Cut, stretches: Stretches, n: int) -> None:
    if not len(fitting) or not len(checking):
        raise Mismatch(
            f"{n} rows hold {len(fitting)} whole stretches of {stretches.length} to learn from and "
            f"{len(checking)} to be checked on; record more, or use a shorter stretch"
        )
