import numpy as np
import pytest

from decoders.adapting.rules.recursive_ridge import RecursiveRidge
from decoders.models.lda import Lda
from decoders.pipeline import Pipeline
from decoders.stage import Mismatch
from devices.signal import Event
from tests.decoders.drifting import (
    error,
    lda,
    reaching,
    ridge,
    run,
    said,
    told,
    versions,
    without_versions,
)

PLAIN = Pipeline(0.1)


@pytest.fixture(scope="module")
def fitted():
    return ridge()


def test_it_solves_the_whole_problem_at_once(fitted):
    decoder, model = fitted
    rows, velocity = reaching(120, 3, turn=0.7)
    rule = RecursiveRidge(every_s=2.0, prior_s=5.0)
    running = run(model, decoder, [rule], pipeline=PLAIN)
    said(running, rows, events=told(velocity))
    version = running.adaptive.versions.current
    at = np.arange(version.last - 20 * version.number + 1, version.last + 1)
    x = np.column_stack([rows[at - 1], rows[at], np.ones(len(at))]).astype(float)
    prior = np.column_stack([model.weights["coef"], model.weights["intercept"]])
    ridges = np.full(x.shape[1], 50 * (x[:, :-1] ** 2).mean())
    ridges[-1] = 50
    known = at >= 1
    xx = x[known].T @ x[known] + np.diag(ridges)
    expected = np.linalg.solve(xx, (velocity[at][known].T @ x[known] + prior * ridges).T).T
    np.testing.assert_allclose(version.weights["coef"], expected[:, :-1], atol=1e-9)
    np.testing.assert_allclose(version.weights["intercept"], expected[:, -1], atol=1e-9)


def test_after_a_turn_of_all_directions_it_finds_back(fitted):
    decoder, model = fitted
    rows, velocity = reaching(600, 3, turn=0.7)
    fixed = error(said(run(model, decoder, pipeline=PLAIN), rows), velocity, 200)
    rule = RecursiveRidge(every_s=2.0, prior_s=2.0, half_life_s=20.0)
    learning = said(run(model, decoder, [rule], pipeline=PLAIN), rows, events=told(velocity))
    assert error(learning, velocity, 200) < 0.5 * fixed


def test_without_targets_it_learns_nothing(fitted):
    decoder, model = fitted
    rows, _ = reaching(200, 3)
    found = said(run(model, decoder, [RecursiveRidge(every_s=1.0)], pipeline=PLAIN), rows)
    assert not versions(found)


def test_what_was_decoded_is_turned_towards_the_target(fitted):
    decoder, model = fitted
    rows, _ = reaching(300, 3)
    events = [Event(0, "far", "client", "target", (1e6, 0.0))]
    rule = RecursiveRidge(every_s=5.0, prior_s=0.1)
    found = said(run(model, decoder, [rule], pipeline=PLAIN), rows, events=events)
    values = np.array([o.values for s, outs in without_versions(found) for o in outs if s > 200])
    # Everything was meant for +x: so little is left of y, and x is never backwards for long.
    assert np.abs(values[:, 1]).mean() < 0.5 * values[:, 0].mean()


def test_a_decoder_of_classes_is_refused():
    with pytest.raises(Mismatch, match="ridge"):
        said(run(lda(), Lda(), [RecursiveRidge()]), np.zeros((5, 4)))
