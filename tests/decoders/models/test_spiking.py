"""A spiking decoder: what it learns, and what it does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci_server.evaluation.evaluate import Controls, evaluate, evaluate_each
from decoders.artifact import Artifact
from decoders.calibrating.training_rows import training_of
from decoders.deciding.trials import Trials
from decoders.decoder import Training
from decoders.describe import describe, describe_pipeline
from decoders.features.log_power import LogPower
from decoders.gathering import gather
from decoders.models.spiking import Spiking
from decoders.pipeline import Pipeline
from decoders.spiking.network import Network, raster
from decoders.spiking.nir_file import export_model, import_model
from decoders.stage import Chain, Mismatch
from tests.decoders.made import Made, cued, followed

pytest.importorskip("torch")

VALUES = Spiking(neurons=(32,), dropout_in=0.0, epochs=8, batch=16, sequence=20)
CLASSES = Spiking(task="classes", neurons=(16,), dropout_in=0.0, epochs=25, batch=4, tau_out_s=0.2)


def fitted(recipe: Spiking, pipeline: Pipeline, made: Made) -> tuple[Artifact, Training]:
    gathered = [gather(made, pipeline)]
    training = training_of(gathered, pipeline, recipe)
    model = Artifact(
        describe(recipe),
        describe_pipeline(pipeline),
        gathered[0].picked,
        training.labels,
        training.unit,
        recipe.fit(training),
        "0" * 64,
    )
    return model, training


@pytest.fixture(scope="module")
def velocity() -> tuple[Artifact, Pipeline, Made]:
    pipeline = Pipeline(0.05)
    made = followed(4000)
    first = replace(made, values=made.values[:3000], truth=made.truth[:3000])
    model, _ = fitted(VALUES, pipeline, first)
    rest = replace(made, values=made.values[3000:], truth=made.truth[3000:])
    return model, pipeline, rest


def test_values_follow_from_counts_and_not_from_those_of_another_time(
    velocity: tuple[Artifact, Pipeline, Made],
) -> None:
    model, pipeline, rest = velocity
    controls = [Controls(), Controls(shift_s=20.0)]
    said, turned = evaluate_each(model, pipeline, VALUES, [rest], controls=controls)
    assert min(said.metrics["r2"]) >= 0.6
    assert max(turned.metrics["r2"]) <= 0.05


def test_a_model_that_was_a_nir_file_decodes_the_same_to_the_bit(
    velocity: tuple[Artifact, Pipeline, Made], tmp_path: Path
) -> None:
    pytest.importorskip("nir")
    model, pipeline, rest = velocity
    export_model(model, tmp_path / "m.nir")
    again = import_model(tmp_path / "m.nir")
    assert again.hash == model.hash
    one, other = (evaluate(m, pipeline, VALUES, [rest]) for m in (model, again))
    assert one.outputs_sha256 == other.outputs_sha256
    first, second = (raster(Network.of(m.weights), rest.values[:200])[0] for m in (model, again))
    assert all((a == b).all() and a.any() for a, b in zip(first, second, strict=True))


def test_classes_follow_from_powers_and_not_from_permuted_labels() -> None:
    pipeline = Pipeline(
        0.1,
        stages=Chain((LogPower(0.5),)),
        trials=Trials({"L": "left", "R": "right"}, start_s=0.5, end_s=2.5),
    )
    model, _ = fitted(CLASSES, pipeline, cued(16))
    judged = cued(24, seed=5)
    controls = [Controls(), *(Controls(permute_seed=seed) for seed in range(6))]
    result, *permuted = evaluate_each(model, pipeline, CLASSES, [judged], controls=controls)
    assert result.metrics["accuracy"] >= 0.85
    assert 0.3 <= np.mean([p.metrics["accuracy"] for p in permuted]) <= 0.7


def test_fewer_spikes_when_they_cost() -> None:
    pipeline, made = Pipeline(0.05), followed(1200)
    rates = []
    for cost in (0.0, 5.0):
        model, training = fitted(replace(VALUES, epochs=6, spike_cost=cost), pipeline, made)
        (spikes,), _ = raster(Network.of(model.weights), training.features[:300])
        rates.append(spikes.mean())
    assert rates[1] < 0.8 * rates[0]


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ValueError, match="members must be 1, not 2"):
        Spiking(members=2)
    with pytest.raises(ValueError, match=r"two tau_s, the shorter one first"):
        Spiking(tau_s=(0.3, 0.02))
    with pytest.raises(ValueError, match="one neuron or more"):
        Spiking(neurons=())
    made = followed(60)
    with pytest.raises(Mismatch, match="hold no stretch of sequence = 40"):
        fitted(Spiking(), Pipeline(0.05), made)
