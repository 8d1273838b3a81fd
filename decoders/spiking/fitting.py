"""From a decoder's training to a spiking network: which pieces it learns on, and what is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from decoders.decoder import Training, Weights
from decoders.spiking.training import Scaling, Shape, SpikingNet
from decoders.stage import Mismatch
from decoders.training.journal import Journal
from decoders.training.loop import Objective, reproducible, train
from decoders.training.parts import crops, held_out_groups, held_out_rows

if TYPE_CHECKING:
    from decoders.models.spiking import Spiking

__all__ = ["fit"]


def fit(recipe: Spiking, training: Training, journal: Journal) -> Weights:
    """Train the network of `recipe`; return its arrays.

    Raises
    ------
    Mismatch
        There is too little to learn from, or to be checked on.
    """
    continuous = recipe.task == "continuous"
    scaling = _scaling(training, continuous)
    pieces = (
        _values(recipe, training, scaling) if continuous else _trials(recipe, training, scaling)
    )
    fitting, checking, settle = pieces
    schedule = recipe.schedule(0)
    with reproducible():
        torch.manual_seed(schedule.seed)
        network = SpikingNet(
            Shape(
                training.features.shape[1],
                tuple(recipe.neurons),
                len(training.labels),
                recipe.recurrent,
                1.0 / (training.signal.rate_hz * recipe.ticks),
                recipe.ticks,
                recipe.tau_s,
                recipe.tau_out_s,
                recipe.dropout_in,
            )
        )
        train(
            network,
            fitting,
            checking,
            _objective(settle, continuous, recipe.spike_cost),
            schedule,
            journal=journal,
            name="spiking",
        )
        return network.network(scaling).arrays()


def _objective(settle: int, continuous: bool, spike_cost: float) -> Objective:
    def loss(said: Tensor, meant: Tensor) -> Tensor:
        said, meant = said[:, settle:], meant[:, settle:]
        if continuous:
            return nn.functional.mse_loss(said, meant)
        return nn.functional.cross_entropy(said.flatten(0, 1), meant.flatten())

    def penalty(network: nn.Module) -> Tensor:
        assert isinstance(network, SpikingNet)
        return spike_cost * network.activity

    def constrain(network: nn.Module) -> None:
        assert isinstance(network, SpikingNet)
        network.constrain()

    return Objective(loss, penalty if spike_cost else None, constrain)


@dataclass(frozen=True)
class _Pieces:
    """Stretches of `length` rows that begin at `firsts`."""

    rows: Tensor
    targets: Tensor
    firsts: NDArray[np.int64]
    length: int

    def __len__(self) -> int:
        return len(self.firsts)

    def batch(self, at: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        where = torch.from_numpy(self.firsts[at][:, np.newaxis] + np.arange(self.length))
        return self.rows[where], self.targets[where]


@dataclass(frozen=True)
class _Pairs:
    """Each trial behind another one: the first from rest, the second with what the first left."""

    trials: _Pieces
    is_drawn: bool

    def __len__(self) -> int:
        return len(self.trials)

    def batch(self, at: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        n = len(self)
        before = torch.randint(n, (len(at),)).numpy() if self.is_drawn else (at - 1) % n
        (x, y), (x_before, y_before) = self.trials.batch(at), self.trials.batch(before)
        return torch.cat([x_before, x], dim=1), torch.cat([y_before, y], dim=1)


def _values(recipe: Spiking, training: Training, scaling: Scaling) -> tuple[_Pieces, _Pieces, int]:
    """Return overlapping pieces to learn on, pieces to be checked on, and rows to settle."""
    held = held_out_rows(len(training.features), recipe.validation, 0)
    length, settle = recipe.sequence, recipe.sequence // 4
    targets = training.targets.astype(np.float64)
    targets = (targets - scaling.out_mean) / scaling.out_deviation
    rows = torch.from_numpy(scaling.rows(training.features))
    meant = torch.from_numpy(targets.astype(np.float32))
    fitting, checking = (
        _Pieces(rows, meant, crops(training.groups, taken, length, length - settle), length)
        for taken in (~held, held)
    )
    if not len(fitting) or not len(checking):
        raise Mismatch(
            f"{len(rows)} rows hold no stretch of sequence = {length} to learn from and another "
            "to be checked on; record more, or use a shorter sequence"
        )
    return fitting, checking, settle


def _trials(recipe: Spiking, training: Training, scaling: Scaling) -> tuple[_Pairs, _Pairs, int]:
    """Return trials to learn on and to be checked on; nothing is left out to settle."""
    held = held_out_groups(training, recipe.validation, 0)
    _, counts = np.unique(training.groups, return_counts=True)
    length = int(counts.min())
    rows = torch.from_numpy(scaling.rows(training.features))
    meant = torch.from_numpy(training.targets.astype(np.int64))
    fitting, checking = (
        _Pieces(rows, meant, crops(training.groups, taken, length, length), length)
        for taken in (~held, held)
    )
    return _Pairs(fitting, True), _Pairs(checking, False), 0


def _scaling(training: Training, continuous: bool) -> Scaling:
    mean, deviation = training.features.mean(axis=0), training.features.std(axis=0)
    deviation[deviation <= 1e-9 * np.maximum(np.abs(mean), 1e-12)] = 0.0
    if not deviation.any():
        raise Mismatch("no feature ever varies, so nothing follows from them")
    n = len(training.labels)
    if not continuous:
        return Scaling(mean, deviation, np.zeros(n), np.ones(n))
    targets = training.targets.astype(np.float64)
    out_deviation = targets.std(axis=0)
    return Scaling(
        mean, deviation, targets.mean(axis=0), np.where(out_deviation > 0, out_deviation, 1.0)
    )
