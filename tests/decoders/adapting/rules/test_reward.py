import numpy as np
import pytest

from decoders.adapting.rules.reward import Reward
from decoders.models.lda import Lda
from decoders.pipeline import Pipeline
from decoders.stage import Mismatch
from devices.signal import Chunk, Event
from tests.decoders.drifting import CLASSES, TRIAL, lda, ridge, right, run, said, trials, versions

SHIFT = (1.5, 0.5, 0.0, 0.0)
RULE = Reward(step=2.0, wait_s=0.8)


@pytest.fixture(scope="module")
def model():
    return lda()


def session(running, rows, cues, judge):
    """Run trial by trial; `judge` says what follows from each decision."""
    found = []
    for k in range(len(cues)):
        part = slice(k * TRIAL, (k + 1) * TRIAL)
        events = [e for e in judge(found, k) if e is not None]
        chunk = Chunk(np.arange(part.start, part.stop) / 10.0, rows[part])
        due = [c for c in cues if part.start / 10.0 <= c.time_s < part.stop / 10.0]
        found += [(d.moment.sample, list(d.outputs)) for d in running.feed(chunk, due, events)]
    return found


def judged(truth, kind="reward", wrong_only=False):
    """Reward the decision on the trial before: +1 if it was right, else -1."""

    def judge(found, k):
        if not k:
            return []
        (said_,) = [
            o.decision
            for _, outputs in found[-TRIAL:]
            for o in outputs
            if getattr(o, "decision", None) is not None
        ]
        is_right = CLASSES.index(said_) == truth[k - 1]
        at = (k - 1) * TRIAL + 10
        heard = k * TRIAL - 1
        if wrong_only and is_right:
            return []
        if kind == "error":
            return [Event(at, "", "client", "error", (), heard)]
        return [Event(at, "", "client", "reward", (1.0 if is_right else -1.0,), heard)]

    return judge


def test_rewards_alone_bring_a_drifted_decoder_back(model):
    rows, cues, truth = trials(200, 1, SHIFT)
    rule = Reward(step=2.0)
    learning = session(run(model, Lda(), [rule]), rows, cues, judged(truth))
    fixed = said(run(model, Lda()), rows, cues)
    assert right(learning, truth, 100) > right(fixed, truth, 100) + 0.15
    assert len(versions(learning)) == 199


def test_errors_alone_are_enough_when_silence_is_good_news(model):
    rows, cues, truth = trials(150, 2, SHIFT)
    rule = Reward(step=2.0, silence=0.2, wait_s=2.0)
    judge = judged(truth, "error", wrong_only=True)
    learning = session(run(model, Lda(), [rule]), rows, cues, judge)
    fixed = said(run(model, Lda()), rows, cues)
    assert right(learning, truth, 100) > right(fixed, truth, 100) + 0.1


def test_rewards_that_mean_nothing_do_little_harm(model):
    rows, cues, truth = trials(100, 3)
    rng = np.random.default_rng(0)

    def judge(found, k):
        if not k:
            return []
        given = (float(rng.choice([-1, 1])),)
        return [Event((k - 1) * TRIAL + 10, "", "client", "reward", given, k * TRIAL - 1)]

    learning = session(run(model, Lda(), [Reward(step=0.5)]), rows, cues, judge)
    fixed = said(run(model, Lda()), rows, cues)
    assert right(learning, truth, 50) > right(fixed, truth, 50) - 0.1


def test_a_step_goes_the_papers_way(model):
    rows, cues, _ = trials(1, 4)
    running = run(model, Lda(), [Reward(step=0.5)])
    reward = Event(10, "", "client", "reward", (1.0,), 12)
    found = said(running, rows, cues, [reward])
    ((at, notice),) = versions(found)
    assert at == 13
    assert "+1 for" in notice.reason
    probabilities = np.array([outs[0].probabilities for s, outs in found if s <= 10])
    x = rows[:11].astype(float).mean(axis=0)
    p = probabilities.mean(axis=0)
    action = int(np.log(probabilities).sum(axis=0).argmax())
    push = 0.5 * (np.eye(2)[action] - p) / (x @ x + 1)
    expected = model.weights["coef"] + np.outer(push, x)
    np.testing.assert_allclose(running.adaptive.versions.current.weights["coef"], expected)


def test_models_that_are_not_linear_in_classes_are_refused():
    decoder, fitted = ridge()
    with pytest.raises(Mismatch, match="lda or logistic"):
        run(fitted, decoder, [RULE], pipeline=Pipeline(0.1))


@pytest.mark.parametrize("wrong", [{"step": 0.0}, {"wait_s": 11.0}, {"baseline_rate": 0.0}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="reward needs"):
        Reward(**wrong)
