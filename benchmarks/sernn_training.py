"""Trains one recurrent network of ``sernn.py`` with one penalty on its recurrent weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.sernn_tasks import Task
from decoders.networks.spatial import distances, grid, spatial_penalty

__all__ = ["SHAPE", "Penalty", "Trained", "train"]

Penalty = Literal["none", "l1", "sernn"]
SHAPE = (5, 5, 4)
_LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Trained:
    """A network, and how well it does.

    Parameters
    ----------
    score
        Share of right choices, or mean R², on what is judged.
    weights
        (n, n), from row to column.
    penalty
        Its share of the loss at the end, over all batches of the last epoch.
    """

    score: float
    weights: NDArray[np.float32]
    penalty: float


class _Net(nn.Module):
    """100 rectified units on a 5 × 5 × 4 grid, started as in the paper."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        n = int(np.prod(SHAPE))
        self.rnn = nn.RNN(n_in, n, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(n, n_out)
        nn.init.xavier_uniform_(self.rnn.weight_ih_l0)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)
        for bias in (self.rnn.bias_ih_l0, self.rnn.bias_hh_l0, self.out.bias):
            nn.init.zeros_(bias)
        nn.init.xavier_uniform_(self.out.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.rnn(x)
        return torch.as_tensor(self.out(hidden))


def train(task: Task, penalty: Penalty, strength: float, seed: int) -> Trained:
    """Train with Adam for all epochs of the task."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = _Net(task.inputs.shape[2], task.n_outputs)
    distance = torch.from_numpy(distances(grid(SHAPE)).astype(np.float32))
    optimizer = torch.optim.Adam(net.parameters(), lr=_LEARNING_RATE)
    x, y = torch.from_numpy(task.inputs), torch.from_numpy(task.targets)
    share: list[float] = []
    for _ in range(task.epochs):
        share.clear()
        order = torch.from_numpy(rng.permutation(len(x)))
        for part in order.split(task.batch):
            noisy = x[part] + task.noise * torch.randn_like(x[part])
            loss = _loss(net(noisy), y[part], task)
            extra = strength * _penalty(net.rnn.weight_hh_l0.T, distance, penalty)
            optimizer.zero_grad()
            (loss + extra).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0) if not task.is_choice else None
            optimizer.step()
            share.append(float((extra / (loss + extra)).detach()))
    weights = net.rnn.weight_hh_l0.detach().numpy().T.copy()
    return Trained(_score(net, task), weights, float(np.mean(share)))


def _loss(said: torch.Tensor, meant: torch.Tensor, task: Task) -> torch.Tensor:
    if task.is_choice:
        return nn.functional.cross_entropy(said[:, -1], meant)
    return nn.functional.mse_loss(said[:, task.settle :], meant[:, task.settle :])


def _penalty(weights: torch.Tensor, distance: torch.Tensor, penalty: Penalty) -> torch.Tensor:
    if penalty == "l1":
        return weights.abs().sum()
    if penalty == "sernn":
        return spatial_penalty(weights, distance)
    return torch.zeros(())


@torch.no_grad()
def _score(net: _Net, task: Task) -> float:
    said = net(torch.from_numpy(task.test_inputs)).numpy()
    if task.is_choice:
        return float((said[:, -1].argmax(axis=1) == task.test_targets).mean())
    meant = task.test_targets[:, task.settle :].reshape(-1, task.n_outputs).astype(np.float64)
    left = ((meant - said[:, task.settle :].reshape(meant.shape)) ** 2).sum(axis=0)
    return float(np.mean(1 - left / ((meant - meant.mean(axis=0)) ** 2).sum(axis=0)))
