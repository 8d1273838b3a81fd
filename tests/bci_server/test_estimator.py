"""A session among scikit-learn's estimators."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from bci_server.config import load_session
from bci_server.estimator import SessionClassifier
from decoders.stage import Mismatch
from tests.decoders.made import cued

SESSION = """\
name = "sides"
[device]
kind = "lsl"
name = "cap"
[blocks]
hop_s = 0.1
channels = ["C3", "Cz", "C4"]
[[stages]]
kind = "log_power"
window_s = 0.5
[decoder]
kind = "lda"
model = "model"
[trials]
labels = { L = "left", R = "right" }
start_s = 0.5
end_s = 2.5
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("session") / "sides.toml"
    file.write_text(SESSION)
    return file


def trials(n: int = 40, seed: int = 0, start: int = 100):
    made = cued(n, seed)
    x = np.stack([made.values[i * 400 + start : (i + 1) * 400].T for i in range(n)])
    return x, np.array(["left", "right"] * (n // 2))


def test_it_fits_predicts_and_scores(session: Path):
    x, y = trials()
    model = SessionClassifier(session, 100.0).fit(x, y)
    new, truth = trials(20, 1)
    assert model.score(new, truth) >= 0.9
    assert model.classes_.tolist() == ["left", "right"]
    proba = model.predict_proba(new)
    assert proba.shape == (20, 2)
    assert proba.sum(axis=1) == pytest.approx(1.0)
    assert (model.classes_[proba.argmax(axis=1)] == model.predict(new)).all()


def test_it_says_of_trials_what_the_live_session_says_of_them(session: Path):
    from bci_server.evaluation.evaluate import evaluate
    from decoders.calibrating.calibration import calibrate

    described = load_session(session)
    # Trials of their own, each after a gap: what the estimator sees.
    made = cued()
    gaps = tuple(range(400, 12 * 400, 400))
    gapped = type(made)(made.values, markers=(), gaps=gaps)
    times = np.arange(12) * 5.0 + 1.0
    marked = type(made)(
        made.values,
        markers=tuple(type(m)(t, m.label) for m, t in zip(made.markers, times, strict=True)),
        gaps=gaps,
    )
    assert gapped.values is marked.values
    x = made.values.reshape(12, 400, 3).transpose(0, 2, 1)
    y = np.array(["left", "right"] * 6)
    model = SessionClassifier(session, 100.0, cue_s=1.0).fit(x, y)
    live = calibrate(described.pipeline, described.decoder, [marked])
    assert all((model.weights_[k] == live.weights[k]).all() for k in live.weights)
    result = evaluate(live, described.pipeline, described.decoder, [marked])
    assert result.metrics["accuracy"] == model.score(x, y)


def test_labels_may_be_numbers(session: Path):
    x, y = trials()
    model = SessionClassifier(session, 100.0).fit(x, (y == "right").astype(int))
    assert set(model.predict(x).tolist()) == {0, 1}


def test_it_is_cloned_searched_and_cross_validated(session: Path):
    x, y = trials()
    model = SessionClassifier(session, 100.0)
    assert clone(model).get_params() == model.get_params()
    folds = StratifiedKFold(4)
    pipe = make_pipeline(FunctionTransformer(lambda v: v * 2.0), model)
    scores = cross_val_score(pipe, x, y, cv=folds, scoring="roc_auc")
    assert scores.mean() > 0.9
    search = GridSearchCV(model, {"cue_s": [0.0, -0.1]}, cv=folds).fit(x, y)
    assert search.best_score_ > 0.9


@pytest.mark.parametrize(
    "check",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_no_attributes_set_in_init",
        "check_get_params_invariance",
        "check_set_params",
        "check_mixin_order",
        "check_valid_tag_types",
        "check_estimator_tags_renamed",
    ],
)
def test_checks_of_scikit_learn(session: Path, check: str):
    from sklearn.utils import estimator_checks  # takes seconds

    model = SessionClassifier(session, 100.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(estimator_checks, check)("SessionClassifier", model)


@pytest.mark.parametrize(
    ("x", "options", "error", "why"),
    [
        (np.zeros((4, 3)), {}, ValueError, r"not \(4, 3\)"),
        (np.zeros((4, 2, 300)), {}, Mismatch, "2 channels; 3 are named"),
        (np.zeros((4, 3, 20)), {}, Mismatch, "no row"),
        (np.zeros((3, 3, 300)), {}, ValueError, "3 trials, y has 4"),
    ],
)
def test_what_does_not_fit_is_said(session: Path, x, options, error, why: str):
    with pytest.raises(error, match=why):
        SessionClassifier(session, 100.0, **options).fit(x, ["a", "b", "a", "b"])


def test_a_session_of_values_is_refused(tmp_path: Path):
    file = tmp_path / "reach.toml"
    file.write_text(SESSION.replace('"lda"', '"ridge"'))
    with pytest.raises(Mismatch, match="decodes no classes"):
        SessionClassifier(file).fit(np.zeros((4, 3, 300)), ["a", "b"] * 2)
