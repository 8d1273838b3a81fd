"""What connections cost in space, against the formula by other means."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.networks.spatial import (
    communicability,
    distances,
    grid,
    spatial_cost,
    spatial_penalty,
)

torch = pytest.importorskip("torch")

SHAPE = (3, 2, 2)


def some_weights(seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((12, 12)) * 0.3


def by_its_series(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Crofts & Higham: sums over walks of every length, long ones weighed less."""
    size = np.abs(weights)
    strength = size.sum(axis=1)
    step = size / np.sqrt(np.outer(strength, strength))
    walks, total = np.eye(len(size)), np.zeros_like(size)
    for length in range(1, 40):
        walks = walks @ step
        total += walks / math.factorial(length)
    np.fill_diagonal(total, 0.0)
    return total


def test_units_fill_the_box_a_distance_of_one_apart() -> None:
    distance = distances(grid((5, 5, 4)))
    assert distance.shape == (100, 100)
    assert not distance.diagonal().any()
    assert distance[distance > 0].min() == 1.0
    assert distance.max() == pytest.approx(math.sqrt(4**2 + 4**2 + 3**2))
    assert (distance == distance.T).all()


def test_communicability_sums_over_walks() -> None:
    weights = some_weights()
    assert communicability(weights) == pytest.approx(by_its_series(weights), rel=1e-9)


def test_strength_is_that_of_what_leaves_a_unit() -> None:
    weights = np.array([[0.0, 4.0], [1.0, 0.0]])
    # expm([[0, a], [b, 0]]) with a = 4 / sqrt(4 · 1), b = 1 / sqrt(4 · 1): off the diagonal
    # sinh(sqrt(ab)) / sqrt(ab) times a and b.
    a, b = 2.0, 0.5
    expected = math.sinh(1.0) * np.array([[0.0, a], [b, 0.0]])
    assert communicability(weights) == pytest.approx(expected)


def test_the_penalty_is_the_cost_and_its_gradient_the_slope() -> None:
    weights, distance = some_weights(), distances(grid(SHAPE))
    at = torch.tensor(weights, requires_grad=True)
    penalty = spatial_penalty(at, torch.from_numpy(distance))
    penalty.backward()
    assert float(penalty.detach()) == pytest.approx(spatial_cost(weights, distance), rel=1e-9)
    for i, j in ((0, 1), (3, 7), (11, 2)):
        moved = [weights.copy(), weights.copy()]
        moved[0][i, j] += 1e-6
        moved[1][i, j] -= 1e-6
        slope = (spatial_cost(moved[0], distance) - spatial_cost(moved[1], distance)) / 2e-6
        assert float(at.grad[i, j]) == pytest.approx(slope, rel=1e-5)


def test_the_same_wires_cost_more_between_units_far_apart() -> None:
    distance = distances(grid(SHAPE))
    near, far = np.zeros((12, 12)), np.zeros((12, 12))
    order = np.argsort(distance[0])
    near[0, order[1]] = near[order[1], 0] = 1.0
    far[0, order[-1]] = far[order[-1], 0] = 1.0
    ratio = distance[0, order[-1]] / distance[0, order[1]]
    assert spatial_cost(far, distance) == pytest.approx(ratio * spatial_cost(near, distance))


def test_a_unit_without_connections_costs_nothing_and_has_a_finite_slope() -> None:
    weights = some_weights()
    weights[4] = weights[:, 4] = 0.0
    at = torch.tensor(weights, requires_grad=True)
    spatial_penalty(at, torch.from_numpy(distances(grid(SHAPE)))).backward()
    assert torch.isfinite(at.grad).all()
    assert spatial_cost(np.zeros((12, 12)), distances(grid(SHAPE))) == 0.0
