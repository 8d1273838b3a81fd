"""Training by gradient descent, the same to the bit each time, until a held-out part says stop."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from decoders.training import checkpoint as on_disk
from decoders.training.checkpoint import Checkpoint, Standing
from decoders.training.journal import SILENT, Journal

__all__ = ["Examples", "Objective", "Schedule", "reproducible", "train"]


class Examples(Protocol):
    """What is learned from; drawn by number."""

    def __len__(self) -> int:
        """Return how many there are."""

    def batch(self, at: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return the inputs and the targets of those numbered `at`, (n, …) each.

        A network that reads several tensors, and a loss that does, are given tuples of them.
        """


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long, in which steps, from which seed.

    Parameters
    ----------
    epochs
        At most so many passes over the examples.
    patience
        Stop when the validation loss has not fallen for so many.
    batch
        Examples a step.
    learning_rate
        At the start; falls to 0 along half a cosine (Loshchilov & Hutter, "SGDR", ICLR 2017).
    weight_decay
        Decoupled, as in AdamW (Loshchilov & Hutter, ICLR 2019).
    seed
        Of the order of the examples and of everything that the network draws.
    largest_gradient
        Norm that gradients are cut to; 0: they are not.
    warm_up
        Share of the epochs in which the learning rate rises from 0 to where it would be.
    """

    epochs: int
    patience: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.0
    seed: int = 0
    largest_gradient: float = 1.0
    warm_up: float = 0.0


@dataclass(frozen=True, slots=True)
class Objective:
    """What is made small.

    Parameters
    ----------
    loss
        Of the network's outputs and the targets, a mean over the examples of a batch. It alone
        is what the validation part is judged by.
    penalty
        Of the network itself, added while it trains.
    constrain
        Called after every step, without gradients: brings weights back to where they may be.
    error, error_name
        What the validation part is judged by in place of the loss, and its name.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    penalty: Callable[[nn.Module], Tensor] | None = None
    constrain: Callable[[nn.Module], None] | None = None
    error: Callable[[Tensor, Tensor], float] | None = None
    error_name: str = "loss"


@contextlib.contextmanager
def reproducible() -> Iterator[None]:
    """Let torch compute the same bits each time: one thread, deterministic algorithms only."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    state = torch.get_rng_state()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
        torch.set_rng_state(state)


def train(
    network: nn.Module,
    fitting: Examples,
    checking: Examples,
    objective: Objective,
    schedule: Schedule,
    *,
    journal: Journal = SILENT,
    name: str = "network",
) -> float:
    """Train `network` in place; it ends as it was when the validation loss was least.

    What is drawn at random in an epoch follows from the seed and the epoch's number alone. So a
    training that was killed, and goes on from its last checkpoint, ends with the same bits as one
    that was not. Call it within `reproducible`.

    Parameters
    ----------
    network
        Made with the seed that it shall have.
    fitting, checking
        What it learns from, and the part held out to say when to stop.
    objective, schedule
        What is made small, and how.
    journal
        Is told of each epoch; the checkpoint `name` in it is gone on from if it is there.
    name
        Of the training, in the journal.

    Returns
    -------
    The least loss on the validation part.

    Raises
    ------
    FloatingPointError
        The loss is not finite: the learning rate is too high, or a value is absurd.
    """
    optimizer = torch.optim.AdamW(
        network.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    at_start = {k: v.detach().clone() for k, v in network.state_dict().items()}
    state = Checkpoint(network, optimizer, at_start)
    file = journal.file(name)
    standing = on_disk.read(file, state) if file is not None and file.exists() else Standing()
    while not standing.ended:
        _epoch(state, fitting, objective, schedule, standing.epoch)
        _judge(state, _mean_loss(network, checking, objective, schedule.batch), standing, schedule)
        if file is not None:
            on_disk.write(file, state, standing)
        journal.tell(
            f"training {name}, epoch {standing.epoch}, best {objective.error_name} "
            f"{standing.best_loss:.4f}",
            1.0 if standing.ended else standing.epoch / schedule.epochs,
        )
    network.load_state_dict(state.best)
    network.eval()
    return standing.best_loss


def _epoch(
    state: Checkpoint, fitting: Examples, objective: Objective, schedule: Schedule, epoch: int
) -> None:
    network, optimizer = state.network, state.optimizer
    torch.manual_seed(_seed(schedule.seed, epoch))
    order = np.random.default_rng([schedule.seed, epoch]).permutation(len(fitting))
    batches = np.array_split(order, max(1, math.ceil(len(order) / schedule.batch)))
    network.train()
    for number, at in enumerate(batches):
        done = (epoch + number / len(batches)) / schedule.epochs
        for group in optimizer.param_groups:
            group["lr"] = _rate(schedule, done)
        inputs, targets = fitting.batch(at)
        loss = objective.loss(network(inputs), targets)
        if objective.penalty is not None:
            loss = loss + objective.penalty(network)
        optimizer.zero_grad()
        loss.backward()
        if schedule.largest_gradient:
            nn.utils.clip_grad_norm_(network.parameters(), schedule.largest_gradient)
        optimizer.step()
        if objective.constrain is not None:
            with torch.no_grad():
                objective.constrain(network)


def _rate(schedule: Schedule, done: float) -> float:
    falling = schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    return falling * done / schedule.warm_up if done < schedule.warm_up else falling


def _mean_loss(network: nn.Module, checking: Examples, objective: Objective, batch: int) -> float:
    network.eval()
    measure = objective.error or objective.loss
    total = 0.0
    with torch.no_grad():
        for begin in range(0, len(checking), batch):
            at = np.arange(begin, min(begin + batch, len(checking)))
            inputs, targets = checking.batch(at)
            total += len(at) * float(measure(network(inputs), targets))
    return total / len(checking)


def _judge(state: Checkpoint, loss: float, standing: Standing, schedule: Schedule) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the validation loss is {loss} after epoch {standing.epoch + 1}; use a lower "
            f"learning_rate than {schedule.learning_rate:g}"
        )
    standing.epoch += 1
    standing.waited += 1
    if loss < standing.best_loss:
        standing.best_loss, standing.waited = loss, 0
        for name, tensor in state.network.state_dict().items():
            state.best[name].copy_(tensor)
    standing.ended = standing.epoch >= schedule.epochs or standing.waited >= schedule.patience


def _seed(seed: int, epoch: int) -> int:
    return int(np.random.default_rng([seed, epoch, 1]).integers(2**63))
