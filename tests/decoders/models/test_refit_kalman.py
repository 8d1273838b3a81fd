import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.decoder import Moment, Training
from decoders.models.kalman import Kalman
from decoders.models.refit_kalman import RefitKalman, intended, positions
from decoders.output import Command
from devices.signal import Chunk, Signal

RATE_HZ = 50.0
SIGNAL = Signal(RATE_HZ, tuple(f"u{i}" for i in range(12)), "count")


def curved_reaches(seed: int, position_tuning: float) -> Training:
    """Reaches on arcs by someone who means to go straight, with units that also know where."""
    rng = np.random.default_rng(seed)
    tuning = np.random.default_rng(99).standard_normal((4, 12))
    rows, velocities = [], []
    for _ in range(40):
        angle = rng.uniform(0, 2 * np.pi)
        speed = np.sin(np.linspace(0, np.pi, 32))[1:-1]
        bend = angle + np.linspace(0.7, -0.7, 30)
        velocity = speed[:, np.newaxis] * np.stack([np.cos(bend), np.sin(bend)], 1)
        meant = speed[:, np.newaxis] * [np.cos(angle), np.sin(angle)]
        place = np.cumsum(velocity, axis=0) / RATE_HZ
        known = np.hstack([meant, position_tuning * place])
        rows.append(known @ tuning + rng.standard_normal((30, 12)) * 0.5)
        velocities.append(velocity)
    groups = np.arange(40).repeat(30)
    return Training(
        SIGNAL, np.concatenate(rows), np.concatenate(velocities), groups, ("vx", "vy"), "m/s"
    )


def decoded(recipe: RefitKalman | Kalman, fit: Training, test: Training) -> NDArray[np.float64]:
    weights = recipe.fit(fit)
    said = []
    for group in np.unique(test.groups):
        decoding = recipe.start(SIGNAL, test.labels, test.unit, weights)
        for row in test.features[test.groups == group]:
            (command,) = decoding(Chunk(np.zeros(1), row[np.newaxis]), Moment(0, 0.0))
            assert isinstance(command, Command)
            said.append(command.values)
    return np.array(said)


def test_velocities_are_turned_to_where_the_reach_ended_and_keep_their_speed() -> None:
    training = curved_reaches(0, 0.0)
    velocity = training.targets.astype(np.float64)
    place = positions(velocity, training, 1 / RATE_HZ)
    meant = intended(velocity, place, training, 0.0)
    assert np.linalg.norm(meant, axis=1) == pytest.approx(np.linalg.norm(velocity, axis=1))
    for group in range(40):
        rows = training.groups == group
        start = place[rows] - velocity[rows] / RATE_HZ
        ahead = place[rows][-1] - start
        cosine = (meant[rows] * ahead).sum(axis=1)
        cosine /= np.linalg.norm(meant[rows], axis=1) * np.linalg.norm(ahead, axis=1)
        assert cosine == pytest.approx(1.0)


def test_nothing_is_meant_at_rest_and_each_run_of_movement_is_a_reach() -> None:
    velocity = np.array([[0, 0], [1, 0], [1, 1], [0, 0.01], [0, 2], [0, 2], [0, 0]], np.float64)
    training = Training(
        Signal(1.0, ("u",), "count"), np.zeros((7, 1)), velocity, np.zeros(7, int), ("vx", "vy")
    )
    meant = intended(velocity, positions(velocity, training, 1.0), training, 0.1)
    assert meant[[0, 3, 6]] == pytest.approx(0.0)
    assert meant[1] == pytest.approx(np.array([2, 1]) / np.sqrt(5))
    assert meant[4] == pytest.approx([0, 2])


def test_positions_begin_anew_with_each_stretch() -> None:
    velocity = np.ones((4, 2))
    training = Training(
        Signal(2.0, ("u",), "count"), np.zeros((4, 1)), velocity, np.array([0, 0, 3, 3]), ("x", "y")
    )
    assert positions(velocity, training, 0.5).tolist() == [[0.5] * 2, [1.0] * 2] * 2


def test_where_the_cursor_is_does_not_pass_for_movement() -> None:
    fit, test = curved_reaches(1, 8.0), curved_reaches(2, 8.0)
    place = positions(test.targets.astype(np.float64), test, 1 / RATE_HZ)
    meant = intended(test.targets.astype(np.float64), place, test, 0.05)

    def error(recipe: RefitKalman | Kalman) -> float:
        return float(((decoded(recipe, fit, test) - meant) ** 2).mean())

    assert error(RefitKalman()) < 0.7 * error(Kalman())


@pytest.mark.parametrize("wrong", [{"rest": 1.0}, {"rest": -0.1}, {"shrinkage": 2.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="refit_kalman needs rest 0 to below 1"):
        RefitKalman(**wrong)  # type: ignore[arg-type]
