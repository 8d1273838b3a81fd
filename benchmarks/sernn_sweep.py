"""The networks that ``sernn.py`` compares: one file each, written whole."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PENALTIES", "TASKS", "Job", "Result", "jobs", "read", "run"]

TASKS = ("maze", "kinematics")
PENALTIES = ("none", "l1", "sernn")

# The two penalties begin at the same size for strengths in this ratio: the sum of sizes of an
# orthogonal matrix of 100 units is about 800, its spatial cost about 35.
_RATIO = 0.045
_STRENGTHS = {"maze": (0.01, 0.03, 0.1, 0.3, 0.5), "kinematics": (0.003, 0.01, 0.03, 0.1, 0.5)}


@dataclass(frozen=True, slots=True)
class Job:
    """One network to train.

    Parameters
    ----------
    task, penalty, strength, seed
        What it learns, what keeps its weights small, how much, and what it is drawn from.
    epochs
        Passes over the task's sequences; 0: as many as the task says.
    """

    task: str
    penalty: str
    strength: float
    seed: int
    epochs: int = 0

    @property
    def name(self) -> str:
        """Say all of it."""
        epochs = f"-{self.epochs}epochs" if self.epochs else ""
        return f"{self.task}{epochs}-{self.penalty}-{self.strength:g}-{self.seed}"

    def file(self, folder: Path) -> Path:
        """Return where its result is."""
        return folder / f"{self.name}.json"


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Parameters
    ----------
    job
        The job.
    score
        Share of right choices, or mean R².
    measures
        As in `sernn_graph.Measures`.
    weights
        (n, n).
    """

    job: Job
    score: float
    measures: dict[str, float]
    weights: NDArray[np.float32]


def jobs(tasks: Sequence[str], seeds: int, epochs: int = 0) -> list[Job]:
    """Return every network of a comparison; seeds come last, so that any part of it is fair."""
    found = []
    for seed in range(seeds):
        for task in tasks:
            found.append(Job(task, "none", 0.0, seed, epochs))
            for strength in _STRENGTHS[task]:
                found.append(Job(task, "sernn", strength, seed, epochs))
                found.append(Job(task, "l1", round(strength * _RATIO, 9), seed, epochs))
    return found


def run(job: Job, folder: Path, archive: Path) -> tuple[float, float]:
    """Train and measure one network, and write it; return its score and the seconds it took."""
    from benchmarks.sernn_graph import measure
    from benchmarks.sernn_tasks import kinematics, maze
    from benchmarks.sernn_training import SHAPE, train
    from decoders.networks.spatial import distances, grid

    begun_s = time.monotonic()
    more: dict[str, Any] = {"epochs": job.epochs} if job.epochs else {}
    task = maze(job.seed, **more) if job.task == "maze" else kinematics(archive, **more)
    trained = train(task, job.penalty, job.strength, job.seed)  # type: ignore[arg-type]
    measures = measure(trained.weights, distances(grid(SHAPE)), job.seed)
    result = {
        "job": asdict(job),
        "score": trained.score,
        "penalty_share": trained.penalty,
        "measures": measures.as_dict(),
        "weights": [[float(w) for w in row] for row in trained.weights],
    }
    new = job.file(folder).with_suffix(".new")
    new.write_text(json.dumps(result), encoding="utf-8")
    new.replace(job.file(folder))
    return trained.score, time.monotonic() - begun_s


def read(job: Job, folder: Path) -> Result | None:
    """Return what became of a job; None while it is not done."""
    file = job.file(folder)
    if not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    weights = np.array(found["weights"], np.float32)
    return Result(job, found["score"], found["measures"], weights)
