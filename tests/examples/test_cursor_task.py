import math

import numpy as np
import pytest

from examples.tasks.cursor_task import CursorTask

STEP_S = 0.02


def go_to(task, speed=0.2):
    """Steer straight at the target until there is another one."""
    for _ in range(2000):
        left = task.target - task.cursor
        distance = float(np.linalg.norm(left))
        if task.step(left / max(distance, 1e-9) * min(speed, distance / STEP_S), STEP_S):
            return
    raise AssertionError("never ended")


def test_a_hit_counts_its_bits_over_the_time_until_it_was_entered():
    task = CursorTask("centre_out", dwell_s=0.3)
    go_to(task)
    (reach,) = task.reaches
    assert reach.hit
    assert reach.bits == pytest.approx(math.log2(1 + 0.1 / 0.03))
    assert reach.seconds == pytest.approx((0.1 - 0.015) / 0.2, abs=2 * STEP_S)
    assert task.throughput() == pytest.approx(reach.bits / reach.seconds)


def test_who_only_passes_through_has_not_hit():
    task = CursorTask("centre_out", timeout_s=1.0)
    through = task.target / np.linalg.norm(task.target) * 0.5
    assert not any(task.step(through, STEP_S) for _ in range(40))
    assert not task.reaches


def test_a_miss_costs_its_time_and_gives_nothing():
    task = CursorTask(timeout_s=2.0)
    while not task.step(np.zeros(2), STEP_S):
        pass
    assert [(r.hit, r.seconds) for r in task.reaches] == [(False, pytest.approx(2.0))]
    assert task.throughput() == 0.0


def test_out_and_back_in_turn_to_eight_places():
    task = CursorTask("centre_out")
    labels = []
    for _ in range(60):
        labels.append(task.label)
        go_to(task, speed=2.0)
    assert set(labels[1::2]) == {"centre"}
    assert set(labels[::2]) == {f"out-{k}" for k in range(8)}


def test_the_cursor_stays_in_its_workspace_and_targets_are_worth_a_reach():
    task = CursorTask(seed=3, timeout_s=0.1)
    for _ in range(500):
        task.step(np.array([9.0, -9.0]), STEP_S)
        assert np.abs(task.cursor).max() <= task.workspace_m
        assert np.abs(task.target).max() <= task.radius_m
