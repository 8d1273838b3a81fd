"""What every decoder promises, held against each kind that is there."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import decoders.models
from bci_server.cli.recipe_options import documented_fields
from decoders.artifact import Artifact
from decoders.decoder import Moment, Training, Weights
from decoders.describe import describe, describe_pipeline
from decoders.models.csp import Csp
from decoders.models.kalman import Kalman
from decoders.models.lda import Lda
from decoders.models.logistic import Logistic
from decoders.models.mdm import Mdm
from decoders.models.ridge import Ridge
from decoders.models.tangent_space import TangentSpace
from decoders.output import Command, Output, Prediction
from decoders.pipeline import Pipeline
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal
from tests.contract import trainings
from tests.contract.forks import Forks
from tests.contract.spoken import stretches
from tests.contract.trainings import (
    BLOCK,
    Case,
    class_training,
    continuous_training,
    full,
    triangle_training,
)

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"

# What the libraries that are the reference say for each row.


def by_lda(recipe: Lda, training: Training) -> NDArray[np.float64]:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    k = len(training.labels)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / k] * k)
    return model.fit(training.features, training.targets).predict_proba(training.features)


def by_logistic(recipe: Logistic, training: Training) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(C=recipe.c, class_weight="balanced", max_iter=2000, tol=1e-8)
    model = make_pipeline(StandardScaler(), regression)
    return model.fit(training.features, training.targets).predict_proba(training.features)


def by_tangent_space(recipe: TangentSpace, training: Training) -> NDArray[np.float64]:
    from pyriemann.geometry.base import invsqrtm
    from pyriemann.geometry.mean import mean_riemann
    from pyriemann.tangentspace import TangentSpace as Mapping
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    regression = LogisticRegression(C=recipe.c, class_weight="balanced", max_iter=5000, tol=1e-8)
    matrices = full(training.features)
    if recipe.metric == "riemann":
        model = make_pipeline(Mapping(metric="riemann"), regression)
    else:  # at the identity, once their mean has whitened them
        whitening = invsqrtm(mean_riemann(matrices))
        matrices = whitening @ matrices @ whitening
        identity = {"mean": lambda x, sample_weight: np.eye(len(x[0])), "map": "logchol"}
        model = make_pipeline(Mapping(metric=identity), regression)
    return model.fit(matrices, training.targets).predict_proba(matrices)


def by_mdm(recipe: Mdm, training: Training) -> NDArray[np.float64]:
    from pyriemann.classification import MDM
    from pyriemann.geometry.base import invsqrtm
    from pyriemann.geometry.mean import mean_riemann

    matrices = full(training.features)
    if recipe.metric == "logchol":
        whitening = invsqrtm(mean_riemann(matrices))
        matrices = whitening @ matrices @ whitening
    return MDM(metric=recipe.metric).fit(matrices, training.targets).predict_proba(matrices)


def by_csp(recipe: Csp, training: Training) -> NDArray[np.float64]:
    from pyriemann.spatialfilters import CSP
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline

    k = len(training.labels)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / k] * k)
    model = make_pipeline(CSP(nfilter=recipe.filters, log=True), lda)
    matrices = full(training.features)
    return model.fit(matrices, training.targets).predict_proba(matrices)


def by_ridge(recipe: Ridge, training: Training) -> NDArray[np.float64]:
    from sklearn.linear_model import Ridge as Library

    x, y = [], []
    for group in np.unique(training.groups):
        f = training.features[training.groups == group]
        t = training.targets[training.groups == group]
        h = recipe.history
        x.append(np.array([f[i - h + 1 : i + 1].ravel() for i in range(h - 1, len(f))]))
        y.append(t[h - 1 :])
    rows, values = np.concatenate(x), np.concatenate(y)
    centred = rows - rows.mean(axis=0)
    assert isinstance(recipe.alpha, float)
    strength = recipe.alpha * float((centred**2).sum()) / centred.shape[1]
    return Library(alpha=strength).fit(rows, values).predict(rows)


def by_kalman(recipe: Kalman, training: Training) -> NDArray[np.float64]:
    """Return the textbook's filter, in covariance form, run until its gain has settled."""
    v, z = training.targets, training.features
    same = np.diff(training.groups) == 0
    mean, offset = v.mean(axis=0), z.mean(axis=0)
    before, after = (v[:-1] - mean)[same], (v[1:] - mean)[same]
    a = np.linalg.lstsq(before, after, rcond=None)[0].T
    w = np.cov((after - before @ a.T).T, bias=True) + np.outer(
        *[(after - before @ a.T).mean(axis=0)] * 2
    )
    h = np.linalg.lstsq(v - mean, z - offset, rcond=None)[0].T
    q = np.cov((z - offset - (v - mean) @ h.T).T, bias=True)
    q = (1 - recipe.shrinkage) * q + recipe.shrinkage * np.diag(np.diag(q))
    p = w
    for _ in range(500):
        ahead = a @ p @ a.T + w
        gain = ahead @ h.T @ np.linalg.inv(h @ ahead @ h.T + q)
        p = (np.eye(len(a)) - gain @ h) @ ahead
    out = np.empty_like(v)
    for group in np.unique(training.groups):
        state = np.zeros(v.shape[1])
        for i in np.flatnonzero(training.groups == group):
            state = a @ state
            state = state + gain @ (z[i] - offset - h @ state)
            out[i] = state + mean
    return out


CASES: dict[str, list[Case]] = {
    "lda": [Case(Lda(), class_training(k), by_lda) for k in (2, 3)],
    "logistic": [Case(Logistic(0.5), class_training(k), by_logistic) for k in (2, 3)],
    "tangent_space": [
        Case(TangentSpace(metric=metric), triangle_training(k), by_tangent_space)
        for k in (2, 3)
        for metric in ("riemann", "logchol")
    ],
    "mdm": [
        Case(Mdm(metric), triangle_training(k), by_mdm)
        for k in (2, 3)
        for metric in ("riemann", "logeuclid", "logchol")
    ],
    "csp": [Case(Csp(f), triangle_training(k), by_csp) for f, k in ((2, 2), (4, 2), (3, 3))],
    "kalman": [Case(Kalman(shrinkage=s), continuous_training(), by_kalman) for s in (0.0, 0.2)],
    "ridge": [
        Case(Ridge(1, 1e-3), continuous_training(), by_ridge),
        Case(Ridge(4, 1e-2), continuous_training(), by_ridge),
    ],
}

# A kind may have a file of its own, cases/<kind>.py, with a list CASES.
CASES |= {
    path.stem: import_module(f"tests.contract.cases.{path.stem}").CASES
    for path in sorted((Path(__file__).parent / "cases").glob("*.py"))
}

ALL = [pytest.param(case, id=f"{kind} {i}") for kind in CASES for i, case in enumerate(CASES[kind])]


def moment_of(training: Training, row: int) -> Moment:
    """Return where a row ends, when the rows of all trials come one after the other."""
    if training.ages is None:
        return Moment(row, row / 10.0)
    sample = (row + 1) * BLOCK - 1
    return Moment(sample, row / 10.0, cue=sample - int(training.ages[row]))


def fitted(case: Case) -> Weights:
    return trainings.fitted(case.recipe, case.training)


def decode(case: Case, weights: Any, rows: NDArray[np.float64], block: int = 1) -> list[Output]:
    t = case.training
    decoding = case.recipe.start(t.signal, t.labels, t.unit, weights)
    outputs: list[Output] = []
    for i in range(0, len(rows), block):
        part = rows[i : i + block]
        last = i + len(part) - 1
        chunk = Chunk(np.arange(i, i + len(part)) / 10.0, part)
        outputs += decoding(chunk, moment_of(t, last))
    return outputs


def numbers(outputs: Sequence[Output]) -> NDArray[np.float64]:
    return np.array(
        [o.probabilities if isinstance(o, Prediction) else o.values for o in outputs]  # type: ignore[union-attr]
    )


def test_every_kind_is_listed() -> None:
    folder = Path(decoders.models.__file__).parent
    assert set(CASES) == {p.stem for p in folder.glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("kind", CASES)
def test_a_kind_exports_one_recipe_that_is_documented(kind: str) -> None:
    module = import_module(f"decoders.models.{kind}")
    (name,) = module.__all__
    recipe = getattr(module, name)
    assert recipe.__dataclass_params__.frozen
    assert {field.name for field in fields(recipe)} <= set(documented_fields(recipe))
    assert all(isinstance(case.recipe, recipe) for case in CASES[kind])


@pytest.mark.parametrize("case", ALL)
def test_the_live_step_says_what_the_library_says(case: Case) -> None:
    expected = case.library(case.recipe, case.training)
    weights = fitted(case)
    groups = case.training.groups
    if case.recipe.task == "classes":
        live = numbers(decode(case, weights, case.training.features))
    elif case.recipe.task == "speech":
        live = np.concatenate([numbers(decode(case, weights, s)) for s in stretches(case.training)])
    else:
        live = np.concatenate(
            [numbers(decode(case, weights, case.training.features[groups == g])) for g in (0, 1)]
        )
    assert live.shape == expected.shape
    assert np.abs(live - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("case", ALL)
def test_the_same_training_gives_the_same_weights(case: Case) -> None:
    first, again = fitted(case), case.recipe.fit(case.training)
    assert {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in again.items()}
    assert all(np.isfinite(v).all() for v in first.values())
    t, steps = case.training, describe_pipeline(Pipeline(0.1))
    models = [
        Artifact(describe(case.recipe), steps, t.signal, t.labels, t.unit, weights, "0" * 64)
        for weights in (first, again)
    ]
    assert models[0].hash == models[1].hash


@pytest.mark.parametrize("case", ALL)
def test_a_model_read_from_disk_says_the_same_to_the_bit(case: Case, tmp_path: Path) -> None:
    t = case.training
    weights = fitted(case)
    Artifact(
        describe(case.recipe),
        describe_pipeline(Pipeline(0.1)),
        t.signal,
        t.labels,
        t.unit,
        weights,
        "0" * 64,
    ).save(tmp_path / "m")
    loaded = Artifact.load(tmp_path / "m").weights
    assert decode(case, loaded, t.features) == decode(case, weights, t.features)


@pytest.mark.parametrize("case", ALL)
def test_outputs_are_of_their_kind_and_finite(case: Case) -> None:
    outputs = decode(case, fitted(case), case.training.features)
    assert np.isfinite(numbers(outputs)).all()
    for output in outputs:
        if case.recipe.task != "continuous":
            assert isinstance(output, Prediction)
            assert output.labels == case.training.labels
            assert sum(output.probabilities) == pytest.approx(1.0, abs=1e-12)
        else:
            assert isinstance(output, Command)
            assert output.names == case.training.labels
            assert output.unit == case.training.unit


@pytest.mark.parametrize("case", ALL)
def test_extreme_rows_never_give_what_is_not_finite(case: Case) -> None:
    weights = fitted(case)
    rows = case.training.features[: 8 if case.recipe.task != "speech" else 24]
    for scale in (0.0, 1e-12, 1e12):
        assert np.isfinite(numbers(decode(case, weights, rows * scale))).all()


@pytest.mark.parametrize("case", ALL)
def test_every_row_of_a_block_is_taken_in_and_the_last_is_answered(case: Case) -> None:
    weights = fitted(case)
    rows = case.training.features[:40]
    singly = decode(case, weights, rows)
    in_blocks = decode(case, weights, rows, block=8)
    if case.recipe.task == "speech":  # every step counts: none may be left out
        assert in_blocks == singly
        return
    assert in_blocks[-1] == singly[-1]
    assert len(in_blocks) == 5


@pytest.mark.parametrize("case", ALL)
def test_an_empty_block_gives_nothing(case: Case) -> None:
    t = case.training
    decoding = case.recipe.start(t.signal, t.labels, t.unit, fitted(case))
    assert not decoding(Chunk(np.empty(0), np.empty((0, t.signal.n_channels))), Moment(0, 0.0))


@pytest.mark.parametrize("case", ALL)
def test_another_number_of_features_is_refused_with_both(case: Case) -> None:
    t = case.training
    weights = fitted(case)
    less = Signal(t.signal.rate_hz, t.signal.channels[:-1], t.signal.unit)
    with pytest.raises(Mismatch, match=r"\d+ features; the steps put out \d+"):
        case.recipe.start(less, t.labels, t.unit, weights)


@pytest.mark.parametrize("case", ALL)
def test_too_little_to_fit_on_is_said(case: Case) -> None:
    t = case.training
    few = t.part(np.arange(1))
    with pytest.raises(Mismatch):
        case.recipe.fit(few)


HEAVY = {"sklearn", "torch", "pyriemann", "mne", "scipy"}


@pytest.mark.parametrize("kind", CASES)
def test_decoding_imports_numpy_and_nothing_that_fits(
    kind: str, tmp_path: Path, forks: Forks
) -> None:
    case = CASES[kind][0]
    t = case.training
    Artifact(
        describe(case.recipe),
        describe_pipeline(Pipeline(0.1)),
        t.signal,
        t.labels,
        t.unit,
        fitted(case),
        "0" * 64,
    ).save(tmp_path / "m")
    within = [getattr(case.recipe, f.name) for f in fields(case.recipe)]  # type: ignore[arg-type]
    recipes = {type(r) for r in (case.recipe, *within) if is_dataclass(r)}
    imports = "\n".join(f"from {r.__module__} import {r.__name__}" for r in recipes)
    script = f"""
import sys, numpy as np
sys.path.insert(0, {str(PLUGINS)!r})
from pathlib import Path
from decoders.artifact import Artifact
from decoders.decoder import Moment
{imports}
from devices.signal import Chunk, Signal
artifact = Artifact.load(Path({str(tmp_path / "m")!r}))
decoding = artifact.starter({case.recipe!r})(artifact.signal)
row = np.ones((1, artifact.signal.n_channels))
outputs = [decoding(Chunk(np.zeros(1), row), Moment(9 * i + 8, 0.0, cue=0)) for i in range(14)]
assert any(outputs), outputs
"""
    assert not HEAVY & forks.modules_after(script)
