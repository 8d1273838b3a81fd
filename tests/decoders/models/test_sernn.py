"""A spatially embedded network as a decoder: it learns, and long wires wither."""

from dataclasses import replace

import numpy as np
import pytest

from bci_server.evaluation.evaluate import Controls, evaluate
from decoders.artifact import Artifact
from decoders.calibrating.training_rows import training_of
from decoders.describe import describe, describe_pipeline
from decoders.gathering import gather
from decoders.models.sernn import Sernn
from decoders.networks.spatial import distances, grid
from decoders.pipeline import Pipeline
from tests.decoders.made import followed

torch = pytest.importorskip("torch")

SMALL = Sernn(shape=(3, 3, 2), epochs=8, batch=16, learning_rate=1e-2, sequence=24, strength=0.1)
PIPELINE = Pipeline(0.05)


def recurrent_weights(recipe: Sernn) -> np.ndarray:
    from decoders.training.loop import reproducible

    training = training_of([gather(followed(1500), PIPELINE)], PIPELINE, recipe)
    with reproducible():
        (member,) = recipe.trainees(training).members
    return member.cells.weight_hh_l0.detach().numpy().T.astype(np.float64)


def test_values_follow_from_counts_and_not_from_those_of_another_time() -> None:
    made = followed(4000)
    first = replace(made, values=made.values[:3000], truth=made.truth[:3000])
    gathered = [gather(first, PIPELINE)]
    training = training_of(gathered, PIPELINE, SMALL)
    model = Artifact(
        describe(SMALL),
        describe_pipeline(PIPELINE),
        gathered[0].picked,
        training.labels,
        training.unit,
        SMALL.fit(training),
        "0" * 64,
    )
    rest = replace(made, values=made.values[3000:], truth=made.truth[3000:])
    assert min(evaluate(model, PIPELINE, SMALL, [rest]).metrics["r2"]) >= 0.7
    turned = evaluate(model, PIPELINE, SMALL, [rest], controls=Controls(shift_s=20.0))
    assert max(turned.metrics["r2"]) <= 0.05


def test_the_penalty_leaves_short_wires_strong() -> None:
    from decoders.networks.spatial_rnn import SpatialRnn

    torch.manual_seed(0)
    network = SpatialRnn(4, 2, SMALL.shape, noise=0.0, dropout_in=0.0)
    distance = distances(grid(SMALL.shape))

    def mean_length() -> float:
        weights = np.abs(network.cells.weight_hh_l0.detach().numpy())
        return float((weights * distance).sum() / weights.sum())

    before, cost = mean_length(), float(network.penalty().detach())
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(15):
        optimizer.zero_grad()
        network.penalty().backward()
        optimizer.step()
    assert float(network.penalty().detach()) < 0.6 * cost
    assert mean_length() < 0.9 * before


def test_no_input_makes_the_state_grow_for_ever() -> None:
    recipe = replace(SMALL, strength=0.0, epochs=6, learning_rate=3e-2)
    assert np.linalg.norm(recurrent_weights(recipe), ord=2) <= 0.98 + 1e-4


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ValueError, match="a grid of two units or more"):
        Sernn(shape=(1, 1, 1))
    with pytest.raises(ValueError, match="strength >= 0"):
        Sernn(strength=-0.1)
