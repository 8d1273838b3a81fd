"""A training in a process of its own: killed at any moment, it goes on where it was.

The folder of a job is named by what is fitted and on what, so checkpoints of other recordings or
other settings are never gone on from. In it lie ``job.json``, ``training.safetensors``, one
checkpoint for each network, and at the end the weights: asked for again, nothing is done again.

Errors::

    TrainingFailed    the process ended without weights; says how
    Mismatch          there is too little, or the wrong kind, to fit on
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training, Weights
from decoders.describe import describe
from decoders.gathering import Progress
from decoders.stage import Mismatch
from decoders.training.journal import Journal
from decoders.training.recipe import Trained
from decoders.training.recipe_text import RecipeText
from decoders.training.worker_process import last_words, start
from devices.signal import Signal

__all__ = ["Job", "TrainingFailed", "train_apart"]


class TrainingFailed(Exception):
    """The process that trains has ended without weights; says what it said last."""


class _Job(msgspec.Struct, frozen=True):
    recipe: RecipeText
    rate_hz: float
    channels: tuple[str, ...]
    signal_unit: str
    labels: tuple[str, ...]
    unit: str


class _Said(msgspec.Struct, frozen=True):
    """A line of the worker's: how far it is, or why it cannot."""

    what: str
    done: float = 0.0
    refused: bool = False


@dataclass(frozen=True)
class Job:
    """A folder that holds all there is to a training.

    Parameters
    ----------
    folder
        Where.
    """

    folder: Path

    @classmethod
    def prepare(cls, parent: Path, recipe: Trained, training: Training) -> Job:
        """Make the folder, or find it as it was left.

        Raises
        ------
        OSError
            It cannot be written.
        """
        values = {field.name: getattr(training, field.name) for field in fields(training)}
        arrays = {name: v for name, v in values.items() if isinstance(v, np.ndarray)}
        job = cls(parent / _name(recipe, training, arrays))
        job.folder.mkdir(parents=True, exist_ok=True)
        signal = training.signal
        described = _Job(
            RecipeText.of(recipe),
            signal.rate_hz,
            signal.channels,
            signal.unit,
            training.labels,
            training.unit,
        )
        job._write("training", arrays)
        (job.folder / "job.json").write_bytes(msgspec.json.encode(described))
        return job

    def read(self) -> tuple[Trained, Training]:
        """Return what is to be fitted, and on what."""
        described = msgspec.json.decode((self.folder / "job.json").read_bytes(), type=_Job)
        training = Training(
            signal=Signal(described.rate_hz, described.channels, described.signal_unit),
            labels=described.labels,
            unit=described.unit,
            **self._read("training"),
        )
        return described.recipe.recipe(), training

    def weights(self, recipe: Trained) -> Weights | None:
        """Return what came out for `recipe`, if the training has ended."""
        name = _weights(recipe)
        return self._read(name) if (self.folder / f"{name}.safetensors").exists() else None

    def keep(self, recipe: Trained, weights: Weights) -> None:
        """Keep what came out for `recipe`."""
        self._write(_weights(recipe), weights)

    def _read(self, name: str) -> dict[str, NDArray[Any]]:
        from safetensors.numpy import load_file

        arrays: dict[str, NDArray[Any]] = load_file(self.folder / f"{name}.safetensors")
        return arrays

    def _write(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        from safetensors.numpy import save

        new = self.folder / f"{name}.new"
        with new.open("wb") as file:
            file.write(save({k: np.ascontiguousarray(a) for k, a in arrays.items()}))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.folder / f"{name}.safetensors")


def train_apart(
    recipe: Trained, training: Training, folder: Path, progress: Progress | None = None
) -> Weights:
    """Fit `recipe` to `training` in a worker process of low priority.

    The worker ends when this process does, however that died; called again with the same
    arguments, the training goes on from its last checkpoint, to the same weights.

    Parameters
    ----------
    recipe, training
        What is fitted, on what.
    folder
        Where the jobs' folders are; to be removed when the weights are safe elsewhere.
    progress
        Is told how far it is.

    Raises
    ------
    Mismatch
        There is too little, or the wrong kind, to fit on.
    TrainingFailed
        The worker has ended without weights.
    """
    recipe.need_torch()
    job = Job.prepare(folder, recipe, training)
    if (done := job.weights(recipe)) is not None:
        return done
    with (job.folder / "worker.log").open("w+b") as log:
        code, refusal = _conduct(job, log, progress)
        if refusal:
            raise Mismatch(refusal)
        weights = job.weights(recipe)
        if weights is None:
            raise TrainingFailed(
                f"the training has ended with exit code {code}; run the command again to go on "
                f"from its last checkpoint. It said last:\n{last_words(log)}"
            )
    return weights


def _conduct(job: Job, log: IO[bytes], progress: Progress | None) -> tuple[int, str]:
    """Run the worker to its end; return its exit code, and why it refused, if it did."""
    refusal = ""
    worker = start("decoders.training.worker", job.folder, log)
    with worker, contextlib.ExitStack() as interrupted:
        interrupted.callback(worker.kill)
        assert worker.stdout is not None
        for line in worker.stdout:
            said = msgspec.json.decode(line, type=_Said)
            if said.refused:
                refusal = said.what
            elif progress is not None:
                progress(said.what, said.done)
        worker.wait()
    return worker.returncode, refusal


def serve(job: Job, say: Any) -> None:
    """Do the job, as the worker does; `say` takes one line of bytes."""

    def tell(what: str, done: float) -> None:
        say(msgspec.json.encode(_Said(what, done)) + b"\n")

    recipe, training = job.read()
    try:
        weights = recipe.train(training, Journal(job.folder, tell))
    except Mismatch as refusal:
        say(msgspec.json.encode(_Said(str(refusal), refused=True)) + b"\n")
        return
    job.keep(recipe, weights)


def _weights(recipe: Trained) -> str:
    return f"weights-{_digest(describe(recipe)).hexdigest()[:8]}"


def _digest(keys: Mapping[str, Any]) -> hashlib._Hash:
    return hashlib.sha256(json.dumps(dict(keys), sort_keys=True).encode())


def _name(recipe: Trained, training: Training, arrays: Mapping[str, NDArray[Any]]) -> str:
    keys = {k: v for k, v in describe(recipe).items() if k not in recipe.beside_training}
    # Another version computes other bits, which a training is not to be made of half.
    digest = _digest(keys | {"torch": version("torch")})
    signal = training.signal
    about = [signal.rate_hz, signal.channels, signal.unit, training.labels, training.unit]
    digest.update(json.dumps(about).encode())
    for name, array in arrays.items():
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
