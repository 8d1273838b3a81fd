"""A Kalman filter whose features do what they never did while it was fitted."""

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.decoder import Moment, Training
from decoders.models.kalman import Kalman
from decoders.models.refit_kalman import RefitKalman
from decoders.output import Command
from devices.signal import Chunk, Signal

SIGNAL = Signal(20.0, tuple(f"u{i}" for i in range(8)), "count")
SILENT = 3


def moving(seed: int, n: int = 800) -> Training:
    """Smooth velocities, and units that follow them; one is all but silent."""
    rng = np.random.default_rng(seed)
    velocity = np.zeros((n, 2))
    for i in range(1, n):
        velocity[i] = 0.95 * velocity[i - 1] + rng.normal(0.0, 0.3, 2)
    tuning = np.random.default_rng(9).standard_normal((2, 8))
    rows = velocity @ tuning + rng.normal(0.0, 0.5, (n, 8))
    rows[:, SILENT] = 0.0
    rows[:20, SILENT] = 1e-3 * 0.5 ** np.arange(20)  # what smoothing leaves of one spike before
    return Training(SIGNAL, rows, velocity, np.zeros(n, np.int64), ("vx", "vy"), "m/s")


def decoded(
    recipe: Kalman | RefitKalman, fit: Training, rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    decoding = recipe.start(SIGNAL, fit.labels, fit.unit, recipe.fit(fit))
    said = []
    for row in rows:
        (command,) = decoding(Chunk(np.zeros(1), row[np.newaxis]), Moment(0, 0.0))
        assert isinstance(command, Command)
        said.append(command.values)
    return np.array(said)


@pytest.mark.parametrize("recipe", [Kalman(), RefitKalman()])
@pytest.mark.parametrize(("unit", "value"), [(SILENT, 1.0), (0, 1e12)])
def test_a_spike_of_a_silent_unit_and_an_artefact_do_not_throw_it(
    recipe: Kalman | RefitKalman, unit: int, value: float
) -> None:
    fit, rest = moving(0), moving(1, 200)
    harmed = rest.features.copy()
    harmed[50:55, unit] = value
    as_it_is = decoded(recipe, fit, rest.features)
    thrown = np.abs(decoded(recipe, fit, harmed) - as_it_is).max(axis=0)
    assert thrown.max() < 3 * rest.targets.std()


@pytest.mark.parametrize("recipe", [Kalman(), RefitKalman()])
def test_what_is_plausible_is_not_touched(recipe: Kalman | RefitKalman) -> None:
    fit, rest = moving(0), moving(1, 200)
    weights = recipe.fit(fit)
    without = {name: w for name, w in weights.items() if not name.startswith("feature_")}
    decodings = [recipe.start(SIGNAL, fit.labels, fit.unit, w) for w in (weights, without)]
    for row in rest.features[30:]:
        said = [d(Chunk(np.zeros(1), row[np.newaxis]), Moment(0, 0.0)) for d in decodings]
        assert said[0] == said[1]
