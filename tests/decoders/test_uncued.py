import math

import numpy as np
import pytest

from decoders.output import Command, Prediction
from decoders.stage import Mismatch
from decoders.uncued import Listening, Stretch, Uncued, fit_bound

LABELS = ("rest", "fists", "feet")
BLOCK_S = 0.1


def people(n_trials: int, seed: int, skill: float = 0.4) -> Stretch:
    """Return what a noisy decoder says of somebody who rests and wishes in turn, 4 s each."""
    rng = np.random.default_rng(seed)
    truths = np.repeat([0 if i % 2 == 0 else 1 + i // 2 % 2 for i in range(n_trials)], 40)
    scores = rng.standard_normal((len(truths), 3))
    for i in range(1, len(scores)):  # overlapping windows: neighbours are alike
        scores[i] = 0.8 * scores[i - 1] + 0.6 * scores[i]
    scores[np.arange(len(truths)), truths] += 4 * skill
    powers = np.exp(scores)
    trials = np.arange(len(truths)) // 40 + 1000 * seed
    return Stretch(powers / powers.sum(axis=1, keepdims=True), truths, trials)


def decided(stretch: Stretch, recipe: Uncued, bound: float) -> list[tuple[str, str]]:
    listening = recipe.start(LABELS, "rest", bound, BLOCK_S)
    rows = zip(stretch.probabilities.tolist(), stretch.truths, strict=True)
    said = [(listening.take(row), LABELS[truth]) for row, truth in rows]
    return [(label, truth) for label, truth in said if label is not None]


@pytest.mark.parametrize("error_rate", [0.1, 0.2])
def test_the_stated_error_rate_holds_for_what_was_not_seen(error_rate: float) -> None:
    recipe = Uncued(error_rate)
    bound = fit_bound(recipe, LABELS, "rest", [people(100, seed) for seed in range(2)], BLOCK_S)
    made = [d for seed in range(100, 106) for d in decided(people(100, seed), recipe, bound)]
    wrong = sum(label != truth for label, truth in made) / len(made)
    assert len(made) > 100
    assert wrong <= error_rate + 0.03


def test_the_lower_the_error_rate_the_more_evidence_is_asked_for() -> None:
    stretches = [people(100, seed) for seed in range(2)]
    bounds = [fit_bound(Uncued(e), LABELS, "rest", stretches, BLOCK_S) for e in (0.2, 0.1)]
    assert bounds == sorted(bounds)
    assert bounds[0] >= math.log(4)


def test_chance_makes_no_promise() -> None:
    with pytest.raises(Mismatch, match=r"error rate of 0.1 cannot be shown .* \d+ trials"):
        fit_bound(Uncued(0.1), LABELS, "rest", [people(60, 0, skill=0.0)], BLOCK_S)


def test_an_idle_class_that_is_not_there_is_refused() -> None:
    with pytest.raises(Mismatch, match=r"which of rest, fists, feet it is with \[trials\] idle"):
        fit_bound(Uncued(0.1), LABELS, "", [people(10, 0)], BLOCK_S)


def test_evidence_adds_up_and_what_speaks_against_takes_it_away() -> None:
    listening = Listening(("rest", "go"), "rest", math.log(20), 0)
    three = (0.25, 0.75)  # each says ln 3
    assert [listening.take(three) for _ in range(3)] == [None, None, "go"]
    assert [listening.take(row) for row in (three, three, (0.9, 0.1), three, three)] == [None] * 5
    assert listening.take(three) == "go"


def test_idle_is_never_decided_and_saves_nothing_up() -> None:
    listening = Listening(("rest", "go"), "rest", math.log(20), 0)
    assert [listening.take((0.999, 0.001)) for _ in range(100)] == [None] * 100
    assert [listening.take((0.25, 0.75)) for _ in range(3)] == [None, None, "go"]


def test_after_a_decision_there_is_a_pause() -> None:
    listening = Uncued(0.1, pause_s=0.3).start(("rest", "go"), "rest", 1.0, BLOCK_S)
    said = [listening.take((0.1, 0.9)) for _ in range(9)]
    assert said == ["go", None, None, None, "go", None, None, None, "go"]


def test_certainty_does_not_break_it() -> None:
    assert Listening(("rest", "go"), "rest", 5.0, 0).take((0.0, 1.0)) == "go"


def test_a_decision_has_no_cue_and_other_outputs_pass() -> None:
    listening = Listening(("rest", "go"), "rest", 1.0, 0)
    command = Command("velocity", ("x",), (1.0,), "1")
    prediction = Prediction(("rest", "go"), (0.1, 0.9))
    said = listening((command, prediction))
    assert said == [command, Prediction(("rest", "go"), (0.1, 0.9), "go", None)]
    assert listening((command,)) == (command,)


def test_wrong_settings_are_refused() -> None:
    for options in ({"error_rate": 0.6}, {"error_rate": 0.0}, {"pause_s": -1.0}):
        with pytest.raises(ValueError, match="uncued needs"):
            Uncued(**({"error_rate": 0.1} | options))
