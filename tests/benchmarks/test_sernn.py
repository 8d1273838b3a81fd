"""Graph measures on graphs that are known, the paper's task, and a sweep that goes on."""

from pathlib import Path

import numpy as np
import pytest

from decoders.networks.spatial import distances, grid

pytest.importorskip("networkx")
pytest.importorskip("torch")

from benchmarks.sernn_graph import measure
from benchmarks.sernn_report import table
from benchmarks.sernn_sweep import Job, jobs, read, run
from benchmarks.sernn_tasks import maze

DISTANCE = distances(grid((4, 4, 2)))


def test_modules_and_short_wires_are_found_where_they_are() -> None:
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 0.1, (32, 32))
    near = noise + (DISTANCE <= 1) * rng.uniform(0.5, 1, (32, 32))
    module = np.arange(32) // 8
    modular = noise + (module[:, None] == module) * rng.uniform(0, 1, (32, 32))
    at_random = rng.uniform(0, 1, (32, 32))
    free, wired, parted = (measure(w, DISTANCE, 0) for w in (at_random, near, modular))
    assert abs(free.modularity - free.modularity_null) < 0.08
    assert abs(free.distance_correlation) < 0.1
    assert free.small_worldness == pytest.approx(1.0, abs=0.35)
    assert parted.modularity > parted.modularity_null + 0.2
    assert parted.small_worldness > 1.5
    assert wired.distance_correlation < -0.3
    assert wired.wire_length < 0.6


def test_the_way_taken_is_open_and_leads_to_the_goal() -> None:
    task = maze(0, epochs=1)
    goal, ways = task.inputs[:, 0, :4].argmax(axis=1), task.inputs[:, -1, 4:]
    assert not task.inputs[:, 20:30].any()
    assert (ways.sum(axis=1) == 2).all()
    assert ways[np.arange(len(ways)), task.targets].all()
    # Goals are top left, top right, bottom left, bottom right; ways are left, up, right, down.
    nearer = {0: "lu", 1: "ur", 2: "ld", 3: "rd"}
    assert all("lurd"[w] in nearer[g] for g, w in zip(goal, task.targets, strict=True))


def test_what_is_done_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import sernn_tasks

    whole = maze(0, epochs=1)

    def short(seed: int, epochs: int) -> sernn_tasks.Task:
        part = slice(0, 128)
        return sernn_tasks.Task(
            whole.inputs[part, ::10],
            whole.targets[part],
            whole.test_inputs[part, ::10],
            whole.test_targets[part],
            4,
            batch=64,
            epochs=epochs,
        )

    monkeypatch.setattr(sernn_tasks, "maze", short)
    wanted = jobs(["maze"], seeds=1, epochs=1)
    assert len(wanted) == len({job.file(tmp_path) for job in wanted}) == 11
    done = Job("maze", "sernn", 0.1, 0, 1)
    assert done in wanted
    score, _ = run(done, tmp_path, tmp_path)
    found = read(done, tmp_path)
    assert found is not None
    assert found.score == score
    assert found.weights.shape == (100, 100)
    assert [job for job in wanted if not job.file(tmp_path).exists()] == [
        job for job in wanted if job != done
    ]
    assert "| sernn | 0.1 | 1 |" in table(wanted, tmp_path)
