import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.nested import SETS, Nested, Way, blocks, scores, session_for
from decoders.decoder import Training
from decoders.models.lda import Lda
from devices.signal import Signal

TRIALS, STEPS = 60, 2
ACCURACY = Nested("made up", "made up", (), folds=5)


def training(features: NDArray[np.float64], truths: NDArray[np.int64]) -> Training:
    signal = Signal(10.0, tuple(f"c{i}" for i in range(features.shape[1])), "1")
    groups = np.arange(TRIALS).repeat(STEPS)
    return Training(signal, features, truths.repeat(STEPS), groups, ("left", "right"))


def way(name: str, telling: float, truths: NDArray[np.int64]) -> Way:
    noise = np.random.default_rng(len(name)).standard_normal((TRIALS * STEPS, 3))
    noise[:, 0] += telling * (2 * truths.repeat(STEPS) - 1)
    return Way(name, Lda(), training(noise, truths), hop_s=0.1)


@pytest.mark.parametrize("name", SETS)
def test_each_choice_is_a_session_of_its_own_and_the_first_is_the_files(name, tmp_path):
    nested = SETS[name]
    found = [session_for(nested, choice, tmp_path) for choice in nested.grid]
    assert len({choice.name for choice in nested.grid}) == len(found)
    assert len({repr((s.pipeline, s.decoder)) for s in found}) == len(found)
    file = session_for(nested, type(nested.grid[0])("file", None, {}), tmp_path)
    assert (found[0].pipeline, found[0].decoder) == (file.pipeline, file.decoder)


def test_what_tells_the_classes_is_chosen_and_decodes_what_was_left_out():
    truths = np.arange(TRIALS) % 2
    found = [way("noise", 0.0, truths), way("telling", 1.5, truths)]
    done = list(blocks(ACCURACY, found))
    assert [block.chosen for block in done] == [1] * 5
    trials = [trial for block in done for trial in block.trials[1]]
    assert len(trials) == TRIALS
    assert scores(ACCURACY, found[1], trials)["accuracy"] > 0.9


def test_what_is_left_out_has_no_say_in_the_choice():
    truths = np.arange(TRIALS) % 2
    honest = [way("one", 0.3, truths), way("another", 0.3, truths)]
    first = next(blocks(ACCURACY, honest))
    left = np.unique(honest[0].training.groups)[: TRIALS // 5]
    flipped = []
    for one in honest:
        features = one.training.features.copy()
        features[np.isin(one.training.groups, left)] = 1e3
        flipped.append(Way(one.name, one.decoder, training(features, truths), hop_s=0.1))
    second = next(blocks(ACCURACY, flipped))
    assert (first.chosen, first.merit) == (second.chosen, second.merit)
    assert first.trials[0][0].rows.tolist() != second.trials[0][0].rows.tolist()


def test_noise_alone_stays_at_chance_however_many_are_compared():
    truths = np.random.default_rng(1).permutation(np.arange(TRIALS) % 2)
    found = [way("noise" * k, 0.0, truths) for k in range(1, 9)]
    done = list(blocks(ACCURACY, found))
    trials = [trial for block in done for trial in block.trials[block.chosen]]
    assert scores(ACCURACY, found[0], trials)["accuracy"] < 0.7


def test_a_trial_is_decided_when_it_is_said_to_be():
    truths = np.arange(TRIALS) % 2
    told = way("late", 0.0, truths)
    features = told.training.features.copy()
    features[1::STEPS, 0] = 10.0 * (2 * truths - 1)  # the second block alone tells
    late = Way("late", Lda(), training(features, truths), "newest", 0.1, 0.05)
    block = next(blocks(Nested("", "", (), folds=5, at_s=0.1), [late]))
    early = scores(Nested("", "", (), at_s=0.1), late, block.trials[0])["accuracy"]
    assert early < 0.8
    assert scores(Nested("", "", ()), late, block.trials[0])["accuracy"] > early
    assert {seconds for _, seconds in block.stops} <= {0.1, 0.2}
