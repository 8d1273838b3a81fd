"""Linear decoders that begin from another's weights."""

from dataclasses import replace

import numpy as np
import pytest

from decoders.classifying.prior import towards
from decoders.decoder import Moment, Training, Tunable
from decoders.models.logistic import Logistic
from decoders.models.ridge import Ridge
from decoders.models.tangent_space import TangentSpace
from decoders.output import Prediction
from devices.signal import Chunk
from tests.contract.trainings import class_training, continuous_training, triangle_training


def proba(recipe, weights, training: Training):
    decoding = recipe.start(training.signal, training.labels, "", weights)
    return np.array(
        [
            output.probabilities
            for row in training.features
            for output in decoding(Chunk(np.zeros(1), row[np.newaxis]), Moment(0, 0.0))
            if isinstance(output, Prediction)
        ]
    )


def test_from_nothing_it_is_the_library():
    from sklearn.linear_model import LogisticRegression

    t = class_training(3)
    rows = (t.features - t.features.mean(axis=0)) / t.features.std(axis=0)
    nothing = {"coef": np.zeros((3, 6)), "intercept": np.zeros(3)}
    ours = towards(nothing, rows, t.targets, 0.7)
    library = LogisticRegression(C=0.7, class_weight="balanced", tol=1e-10, max_iter=5000)
    library.fit(rows, t.targets)
    assert ours["coef"] == pytest.approx(library.coef_, abs=2e-3)


@pytest.mark.parametrize(
    ("recipe", "training"),
    [(Logistic(), class_training(3)), (TangentSpace(), triangle_training(2))],
    ids=["logistic", "tangent_space"],
)
def test_a_few_trials_of_another_kind_move_it_and_a_weak_c_leaves_it(recipe, training):
    assert isinstance(recipe, Tunable)
    weights = recipe.fit(training)
    k = len(training.labels)
    swapped = replace(training, targets=(training.targets + 1) % k)
    before = proba(recipe, weights, training).argmax(axis=1)
    moved = proba(recipe, replace(recipe, c=100.0).tune(swapped, weights), training).argmax(axis=1)
    barely = proba(recipe, replace(recipe, c=1e-6).tune(swapped, weights), training)
    assert (moved == swapped.targets).mean() > 0.9
    assert (before == swapped.targets).mean() < 0.2
    # Without weight on the rows only what is not penalised, the intercepts, may move.
    assert (barely.argmax(axis=1) == training.targets).mean() > 0.6


def test_what_agrees_is_left_alone():
    t = class_training(3)
    recipe = Logistic(0.1)
    weights = recipe.fit(t)
    tuned = recipe.tune(t, weights)
    assert (proba(recipe, tuned, t).argmax(axis=1) == t.targets).mean() >= 0.9


def test_ridge_with_a_prior_needs_less_to_be_right():
    t = continuous_training()
    recipe = Ridge(2, (0.1, 1.0, 10.0))
    weights = recipe.fit(t)
    shifted = replace(t, targets=t.targets + 3.0)
    few = shifted.part(np.arange(600) < 25)
    tuned = recipe.tune(few, weights)
    alone = recipe.fit(few)
    x = np.concatenate([t.features[:-1], t.features[1:]], axis=1)[300:]
    y = shifted.targets[1:][300:]

    def wrong(w) -> float:
        return float(np.mean((x @ np.asarray(w["coef"]).T + w["intercept"] - y) ** 2))

    assert wrong(tuned) < 0.5 * min(wrong(alone), wrong(weights))


def test_tuning_twice_gives_the_same():
    t = class_training(3)
    weights = Logistic().fit(t)
    one, two = Logistic().tune(t, weights), Logistic().tune(t, weights)
    assert all((one[k] == two[k]).all() for k in one)
