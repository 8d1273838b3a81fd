import math

import numpy as np
import pytest

from decoders.scoring.reliability import reliability


def test_what_is_said_with_eight_tenths_and_is_true_in_eight_tenths_is_calibrated() -> None:
    said = np.array([[0.2, 0.8]] * 10)
    scores = reliability(said, np.array([1] * 8 + [0] * 2))
    assert scores["ece"] == pytest.approx(0.0, abs=1e-12)
    assert scores["table"] == [
        {"from": 0.8, "to": 0.9, "n": 10, "said": pytest.approx(0.8), "true": 0.8}
    ]
    assert scores["brier"] == pytest.approx(0.8 * 2 * 0.04 + 0.2 * 2 * 0.64)
    assert scores["log_loss"] == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.2))
    assert scores["log_loss_chance"] == pytest.approx(scores["log_loss"])


def test_one_that_is_too_sure_is_found_out() -> None:
    said = np.array([[0.99, 0.01, 0.0]] * 4 + [[0.3, 0.3, 0.4]] * 4)
    scores = reliability(said, np.array([0, 1, 2, 1, 2, 2, 2, 2]))
    assert [(row["n"], row["true"]) for row in scores["table"]] == [(4, 1.0), (4, 0.25)]
    assert scores["ece"] == pytest.approx(0.5 * 0.6 + 0.5 * 0.74)


def test_certainty_that_is_wrong_has_a_finite_loss() -> None:
    assert math.isfinite(reliability(np.array([[1.0, 0.0]]), np.array([1]))["log_loss"])
