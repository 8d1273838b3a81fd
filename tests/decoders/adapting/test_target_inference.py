import numpy as np
import pytest

from decoders.adapting.target_inference import TargetInference

ROW_S = 0.02


def reaches(n, seed, error_rad=0.3):
    """Positions and velocities of `n` reaches of 1.3 s, and each row's target."""
    rng = np.random.default_rng(seed)
    here, positions, velocities, targets = np.zeros(2), [], [], []
    for _ in range(n):
        target = rng.uniform(-0.1, 0.1, 2)
        for _ in range(65):
            left = target - here
            size = min(0.25, 4 * float(np.linalg.norm(left)))
            angle = np.arctan2(left[1], left[0]) + error_rad * rng.standard_normal()
            velocity = size * np.array([np.cos(angle), np.sin(angle)])
            positions.append(here)
            velocities.append(velocity)
            targets.append(target)
            here = here + ROW_S * velocity
    return np.array(positions), np.array(velocities), np.array(targets)


@pytest.mark.parametrize("seed", range(3))
def test_where_it_went_tells_where_it_was_to_go(seed):
    positions, velocities, targets = reaches(15, seed)
    inferred = TargetInference(0.1, ROW_S).targets(positions, velocities)
    off = np.linalg.norm(inferred.targets - targets, axis=1)
    sure = inferred.confidence >= 0.5
    assert sure.mean() > 0.5
    assert np.median(off[sure]) < 0.025
    # Already the first half of a reach knows, by what came later.
    early = np.arange(len(targets)) % 65 < 25
    assert np.median(off[sure & early]) < 0.04
    assert 8 <= inferred.n_targets <= 30


def test_a_single_row_and_rest_are_no_trouble():
    inferred = TargetInference(0.1, ROW_S).targets(np.zeros((7, 2)), np.zeros((7, 2)))
    assert inferred.targets.shape == (7, 2)
    assert np.isfinite(inferred.targets).all()
