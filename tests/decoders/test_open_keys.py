"""Keys that a session leaves open: chosen by what is fitted on, and kept in the model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decoders.artifact import Artifact
from decoders.calibrating.calibration import fitted, one_thread
from decoders.deciding.trials import Trials
from decoders.decoder import Decoder, Moment, Training
from decoders.describe import describe
from decoders.features.covariance import Covariance
from decoders.gathering import gather
from decoders.models.aligned import Aligned
from decoders.models.fgmdm import Fgmdm
from decoders.models.lda import Lda
from decoders.models.mdm import Mdm
from decoders.models.tangent_space import TangentSpace
from decoders.open_keys import as_fitted, choices, chosen
from decoders.pipeline import Pipeline
from decoders.stage import Chain, Mismatch
from devices.signal import Chunk, Marker, Signal
from tests.decoders.made import Made

KINDS: tuple[Any, ...] = (TangentSpace, Mdm, Fgmdm)
PIPELINE = Pipeline(0.1, (), Chain((Covariance(0.5),)), Trials({"a": "a", "b": "b"}, 0.5, 1.0))


def recording(n: int, seed: int = 0) -> Made:
    """Return trials of 1 s, of two classes: half of `n` channels are louder in one of them."""
    values = np.random.default_rng(seed).standard_normal((1200, n))
    for begin in range(0, 1200, 200):
        values[begin : begin + 100, : n // 2] *= 2
    markers = tuple(Marker(float(trial), "ab"[trial % 2]) for trial in range(12))
    return Made(values, Signal(100.0, tuple(f"c{i}" for i in range(n)), "uV"), markers)


def triangles(n: int) -> Signal:
    return Signal(10.0, tuple(f"r{i}" for i in range(n * (n + 1) // 2)), "uV^2")


def model_of(decoder: Decoder, seed: int = 0, parent: Artifact | None = None) -> Artifact:
    with one_thread():
        gathered = [gather(recording(40, seed), PIPELINE)]
        return fitted(gathered, PIPELINE, decoder, parent=parent, scored=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "metric"), [(4, "riemann"), (32, "riemann"), (33, "logchol")])
def test_the_metric_that_is_not_told_is_chosen_by_the_number_of_channels(
    kind: Any, n: int, metric: str
) -> None:
    rows = triangles(n)
    assert chosen(kind(), rows) == kind(metric=metric)
    for told in ("riemann", "logchol"):
        assert chosen(kind(metric=told), rows) == kind(metric=told)
    behind = Aligned(kind(), "recentre")
    assert chosen(behind, rows) == replace(behind, decoder=kind(metric=metric))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_says_what_was_chosen_and_is_what_that_key_gives(kind: Any) -> None:
    model, told = model_of(kind()), model_of(kind(metric="logchol"))
    assert model.decoder["metric"] == "logchol"
    assert model.hash == told.hash
    assert choices(kind(), model.decoder) == {"metric": "logchol"}
    assert choices(kind(metric="logchol"), model.decoder) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_before_decodes_as_it_was_fitted(kind: Any, tmp_path: Path) -> None:
    """What would be chosen today is another metric; the session names none, as it did then."""
    model_of(kind(metric="riemann")).save(tmp_path / "model")
    model = Artifact.load(tmp_path / "model")
    assert said(model, kind()) == said(model, kind(metric="riemann"))
    with pytest.raises(Mismatch, match="metric = 'riemann', now 'logchol'"):
        said(model, kind(metric="logchol"))


def test_a_model_of_before_is_tuned_as_it_was_fitted() -> None:
    told = TangentSpace(metric="riemann")
    parent = model_of(told)
    tuned = model_of(TangentSpace(), 1, parent)
    assert tuned.decoder["metric"] == "riemann"
    assert tuned.hash == model_of(told, 1, parent).hash


def test_a_decoder_behind_an_alignment_is_chosen_too() -> None:
    open_ = Aligned(Mdm(), "recentre")
    model = model_of(open_)
    assert model.decoder["decoder"]["metric"] == "logchol"
    assert choices(open_, model.decoder) == {"decoder.metric": "logchol"}
    assert said(model, open_)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_model_fit_and_start_choose_alike(kind: Any) -> None:
    rows = gather(recording(40), PIPELINE).rows
    n = len(rows)
    training = Training(triangles(40), rows, np.arange(n) % 2, np.arange(n), ("a", "b"))
    weights = kind().fit(training)
    told = kind(metric="logchol")
    assert all(np.array_equal(weights[name], array) for name, array in told.fit(training).items())
    chunk = Chunk(np.zeros(1), rows[:1])
    one, other = (
        recipe.start(training.signal, ("a", "b"), "", weights)(chunk, Moment(0, 0.0))
        for recipe in (kind(), told)
    )
    assert one == other


def test_what_leaves_nothing_open_stays_as_it_is() -> None:
    lda = Lda(shrinkage="auto")
    assert chosen(lda, triangles(3)) is lda
    assert as_fitted(lda, describe(lda)) is lda
    assert as_fitted(Mdm(), describe(lda)) == Mdm()


def said(model: Artifact, decoder: Decoder) -> list[Any]:
    made = recording(40, seed=7)
    run = model.run(made.signal, PIPELINE, decoder)
    fed = run.feed(Chunk(np.arange(1200) / 100.0, made.values.astype(np.float32)))
    return [output for decoded in fed for output in decoded.outputs]
