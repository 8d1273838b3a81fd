"""The leaderboard: every line of its lists can be run, and nothing won where nothing can be won."""

import json
import math
from pathlib import Path

import pytest

from bci_server.config import session_of
from bci_server.evaluation.groups import Source
from bci_server.evaluation.leaderboard import of_folds
from benchmarks.leaderboard.cells import cell_of, described
from benchmarks.leaderboard.page import write_page
from benchmarks.leaderboard.peers import PEERS, OnRows, offline
from benchmarks.leaderboard.sets import SETS, RecordedSet
from benchmarks.leaderboard.variants import VARIANTS
from tests.decoders.made import followed

PUBLISHED = Path(__file__).resolve().parents[1] / "docs" / "leaderboard.json"


@pytest.fixture(scope="module")
def cells() -> list[dict]:
    found: list[dict] = json.loads(PUBLISHED.read_text(encoding="utf-8"))["cells"]
    return found


@pytest.mark.parametrize("recorded", SETS, ids=lambda s: s.name)
def test_each_decoder_of_each_set_is_a_session(recorded, tmp_path):
    names = [variant.name for variant in VARIANTS[recorded.task]]
    assert len(set(names)) == len(names)
    for variant in VARIANTS[recorded.task]:
        session = session_of(described(recorded, variant), tmp_path)
        assert session.decoder.task == ("continuous" if recorded.score == "r2" else "classes")


def test_folds_are_averaged_with_their_uncertainty():
    value, (low, high) = of_folds([(0.6, 0.1), (0.8, 0.1)])
    assert value == pytest.approx(0.7)
    assert high - value == pytest.approx(0.1 / math.sqrt(2))
    assert value - low == pytest.approx(0.1 / math.sqrt(2))


@pytest.mark.parametrize("recorded", SETS, ids=lambda s: s.name)
def test_each_library_that_is_given_our_rows_has_a_decoder_beside_it(recorded):
    beside = [peer.of for peer in PEERS.get(recorded.task, ()) if isinstance(peer, OnRows)]
    assert set(beside) <= {variant.name for variant in VARIANTS[recorded.task]}


def test_a_library_says_of_our_rows_what_ours_says(tmp_path):
    def sources(folder):
        return [Source(followed(1500, seed), str(seed)) for seed in (0, 0)]

    made = RecordedSet("made", "velocity", "reach", sources, "first", "r2")
    theirs = offline(made, PEERS["velocity"][0], tmp_path)
    ours = cell_of(made, VARIANTS["velocity"][0], tmp_path).plain()
    assert ours["n"] == theirs["n"]
    assert theirs["value"] == pytest.approx(ours["value"], abs=0.05)
    assert theirs["control"] < 0.1 < 0.5 < theirs["value"]


def test_the_auc_stands_beside_the_accuracy_of_two_classes(cells, tmp_path):
    one = next(cell for cell in cells if cell["score"] == "accuracy")
    cell = {key: value for key, value in one.items() if key not in ("auc", "auc_ci95")}
    write_page([{**cell, "auc": 0.75, "auc_ci95": [0.7, 0.8]}, {**cell, "set": "b"}], tmp_path)
    page = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert "| decoder | score | AUC | control |" in page
    assert "] | 0.750 |" in page
    assert page.count("| AUC |") == 1


PEER_OF = {
    "csp": "MOABB CSP+LDA",
    "tangent_space": "MOABB TS+LR",
    "mdm": "MOABB MDM",
    "fgmdm": "MOABB FgMDM",
    "tangent_space on narrow bands": "MOABB SSVEP TS+LR",
    "mdm on bands of 1 Hz": "MOABB SSVEP MDM",
    "xdawn_covariance": "MOABB XDAWNCov+TS+LR",
    "xdawn_covariance, the peer's settings": "MOABB XDAWNCov+TS+LR",
    "lda": "shrinkage LDA on samples",
    "ridge": "scikit-learn RidgeCV",
    "ridge, 3 bins": "scikit-learn RidgeCV",
    "ridge, 8 bins": "scikit-learn RidgeCV",
    "ridge, 10 bins": "scikit-learn RidgeCV",
    "mlp_regression": "scikit-learn MLPRegressor",
    "logistic": "scikit-learn LogisticRegression",
    "naive_bayes": "scikit-learn GaussianNB",
    "rcca": "PyntBCI rCCA",
}


def test_no_decoder_is_below_the_peers_of_the_same_name(cells):
    """Not by more than both intervals leave open: theirs look ahead, ours do not."""
    values = {(cell["set"], cell["decoder"]): cell for cell in cells}
    pairs = [
        (ours, values[of_set, PEER_OF[name]])
        for (of_set, name), ours in values.items()
        if (of_set, PEER_OF.get(name)) in values
    ]
    assert len(pairs) > 20
    for ours, theirs in pairs:
        apart = sum(((c["ci95"][1] - c["ci95"][0]) / 2) ** 2 for c in (ours, theirs)) ** 0.5
        assert ours["value"] > theirs["value"] - apart, (ours, theirs)


def four_deviations(cell: dict) -> float:
    """How far above chance luck may be: of so many cells, one in thirty thousand."""
    return 4 * math.sqrt(cell["chance"] * (1 - cell["chance"]) / cell["n"])


def test_nothing_wins_where_nothing_can_be_decoded(cells):
    controls = [cell for cell in cells if cell["is_control"]]
    assert controls
    for cell in controls:
        assert cell["value"] < cell["chance"] + four_deviations(cell), cell


def test_nothing_is_learned_from_permuted_labels_or_a_turned_truth(cells):
    for cell in cells:
        # Of two classes that differ in size, AUC scatters by the smaller one.
        luck = 0.1 if cell["score"] == "r2" else max(4 * 0.5 / math.sqrt(cell["n"] / 3), 0.1)
        assert cell["control"] < cell["chance"] + luck, cell
