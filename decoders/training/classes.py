"""Networks that say of a window of samples which class it is: trained, averaged, as ONNX."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from decoders.classifying.linear import check_classes
from decoders.decoder import Training, Weights
from decoders.networks.standard import Mean, Standardized
from decoders.onnx.graph import GRAPH
from decoders.rows.sample_names import WindowShape, window_shape
from decoders.training.export import to_onnx
from decoders.training.journal import SILENT, Journal
from decoders.training.loop import Objective, reproducible, train
from decoders.training.parts import held_out_groups
from decoders.training.recipe import Trained

__all__ = ["Build", "classifier", "fit_classifier"]

Build = Callable[[WindowShape, int], nn.Module]
"""Makes a network for windows of a shape and so many classes."""


def fit_classifier(
    recipe: Trained, training: Training, build: Build, journal: Journal = SILENT
) -> Weights:
    """Return the weights of a recipe of windows: the graph of its trained networks.

    Raises
    ------
    Mismatch
        There are too few trials, or the rows are no windows.
    """
    recipe.need_torch()
    with reproducible():
        network = classifier(recipe, training, build, journal)
        shape = window_shape(training.signal)
        window = torch.zeros(1, len(shape.channels), shape.n_samples)
        return {GRAPH: to_onnx(network, {"window": window}, ["probabilities"])}


def classifier(
    recipe: Trained, training: Training, build: Build, journal: Journal = SILENT
) -> nn.Module:
    """Return the trained networks as one: probabilities (n, k) of windows (n, channels, samples).

    Call it within `reproducible`.
    """
    check_classes(training)
    shape = window_shape(training.signal)
    windows = training.features.reshape(-1, len(shape.channels), shape.n_samples)
    standard = Standardized(*_spread(windows))
    # One copy in float32, which every member reads.
    inputs = standard(torch.from_numpy(windows.astype(np.float32)))
    targets = torch.from_numpy(training.targets.astype(np.int64))
    members = []
    for number in range(recipe.members):
        held = held_out_groups(training, recipe.validation, number)
        schedule = recipe.schedule(number)
        torch.manual_seed(schedule.seed)
        network = build(shape, len(training.labels))
        train(
            network,
            _Windows(inputs, targets, np.flatnonzero(~held)),
            _Windows(inputs, targets, np.flatnonzero(held)),
            Objective(_evenly(training, ~held), constrain=_constrain),
            schedule,
            journal=journal.part(number, recipe.members),
            name=f"member-{number + 1}",
        )
        members.append(network)
    return nn.Sequential(standard, Mean(members)).eval()


class _Windows:
    def __init__(self, inputs: Tensor, targets: Tensor, rows: NDArray[np.int64]) -> None:
        self._inputs, self._targets, self._rows = inputs, targets, rows

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, at: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(self._rows[at])
        return self._inputs[rows], self._targets[rows]


def _evenly(training: Training, taken: NDArray[np.bool_]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the cross-entropy in which each class weighs the same, however many rows it has."""
    k = len(training.labels)
    counts = np.bincount(training.targets[taken].astype(np.int64), minlength=k)
    return nn.CrossEntropyLoss(torch.from_numpy((counts.sum() / (k * counts)).astype(np.float32)))


def _constrain(network: nn.Module) -> None:
    network.constrain()


def _spread(windows: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each channel's mean, (n_channels, 1), and one over its deviation; 0 if it is flat."""
    mean = windows.mean(axis=(0, 2))[:, np.newaxis]
    deviation = windows.std(axis=(0, 2))[:, np.newaxis]
    varies = deviation > 1e-9 * np.maximum(np.abs(mean), 1e-12)
    inverse = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    return mean.astype(np.float32), inverse.astype(np.float32)
