"""The state of a training at the end of an epoch, on disk: safetensors, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Checkpoint", "Standing", "read", "write"]


@dataclass(slots=True)
class Standing:
    """How a training stands after an epoch.

    Parameters
    ----------
    epoch
        Epochs done.
    best_loss
        Least loss on the validation part so far.
    waited
        Epochs since.
    ended
        Nothing is left to do.
    """

    epoch: int = 0
    best_loss: float = float("inf")
    waited: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network in training.

    Parameters
    ----------
    network, optimizer
        What is trained, and what trains it.
    best
        The network's state at its least validation loss.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor]


def write(path: Path, checkpoint: Checkpoint, standing: Standing) -> None:
    """Put the state in the place of the one before, which stays until the new one is whole.

    Raises
    ------
    OSError
        The disk refuses.
    """
    from safetensors.torch import save

    tensors = {f"network.{k}": v for k, v in checkpoint.network.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in checkpoint.best.items()}
    tensors |= _optimizer_tensors(checkpoint.optimizer)
    standing_text = json.dumps(
        {
            "epoch": standing.epoch,
            "best_loss": float(standing.best_loss).hex(),
            "waited": standing.waited,
            "ended": standing.ended,
        }
    )
    owned = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    raw = save(owned, metadata={"standing": standing_text})
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def read(path: Path, checkpoint: Checkpoint) -> Standing:
    """Bring a network and its optimizer to where they were; return how the training stood."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        stood = json.loads(file.metadata()["standing"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    checkpoint.network.load_state_dict(_under("network.", tensors))
    checkpoint.best.clear()
    checkpoint.best.update(_under("best.", tensors))
    _restore_optimizer(checkpoint.optimizer, _under("optimizer.", tensors))
    return Standing(
        stood["epoch"], float.fromhex(stood["best_loss"]), stood["waited"], stood["ended"]
    )


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state: Mapping[int, Mapping[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"optimizer.{number}.{name}": tensor
        for number, of_parameter in state.items()
        for name, tensor in of_parameter.items()
    }


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, what = name.partition(".")
        state.setdefault(int(number), {})[what] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
