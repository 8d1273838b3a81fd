"""Calibrated probabilities and decisions without a cue, from calibration to evaluation."""

from dataclasses import replace

import numpy as np
import pytest

from bci_server.cli.score_table import score_lines
from bci_server.evaluation.evaluate import evaluate
from bci_server.mapping import Commands
from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from decoders.deciding.probabilities import Probabilities, map_of
from decoders.deciding.trials import Trial, Trials
from decoders.deciding.uncued import BOUND, Uncued
from decoders.features.log_power import LogPower
from decoders.models.lda import Lda
from decoders.models.ridge import Ridge
from decoders.output import Prediction
from decoders.pipeline import Pipeline
from decoders.scoring.uncued_scores import Listened, uncued_scores
from decoders.stage import Chain, Mismatch
from devices.signal import Chunk
from tests.decoders.made import cued, followed

PLAIN = Pipeline(
    0.1,
    stages=Chain((LogPower(0.5),)),
    trials=Trials({"L": "rest", "R": "go"}, 0.5, 2.4, idle="rest"),
)
FREE = replace(PLAIN, probabilities=Probabilities("platt"), uncued=Uncued(0.2, 0.5))


@pytest.fixture(scope="module")
def free() -> Artifact:
    return calibrate(FREE, Lda(), [cued(60)])


def predictions(model: Artifact, pipeline: Pipeline, length: int = 50) -> list[Prediction]:
    made = cued(12, seed=1)
    values = made.values.astype(np.float32)
    run = model.run(made.signal, pipeline, Lda())
    times = np.arange(len(values)) / 100.0
    return [
        output
        for a in range(0, len(values), length)
        for d in run.feed(Chunk(times[a : a + length], values[a : a + length]))
        for output in d.outputs
        if isinstance(output, Prediction)
    ]


def test_a_run_says_mapped_probabilities_and_decides_without_a_cue(free: Artifact) -> None:
    plain = calibrate(PLAIN, Lda(), [cued(60)])
    through = map_of(free.weights)
    assert through is not None
    said, raw = predictions(free, FREE), predictions(plain, PLAIN)
    assert [p.probabilities for p in said] == [through(p.probabilities) for p in raw]
    decided = [p for p in said if p.decision is not None]
    assert 3 <= len(decided) <= 40
    assert {p.decision for p in decided} == {"go"}
    assert {p.cue_sample for p in decided} == {None}


def test_chunks_change_nothing(free: Artifact) -> None:
    assert predictions(free, FREE, 7) == predictions(free, FREE, 400)


def test_a_model_on_disk_keeps_both(free: Artifact, tmp_path) -> None:
    free.save(tmp_path / "m")
    again = Artifact.load(tmp_path / "m")
    assert np.array_equal(again.weights[BOUND], free.weights[BOUND])
    assert predictions(again, FREE) == predictions(free, FREE)
    found = again.metrics["reliability"]
    assert found["after"]["ece"] <= found["before"]["ece"] + 0.05


def test_what_was_not_fitted_is_refused(free: Artifact) -> None:
    plain = calibrate(PLAIN, Lda(), [cued(24)])
    with pytest.raises(Mismatch, match=r"fitted without \[probabilities\]"):
        plain.check(cued().signal, FREE, Lda())
    other = replace(FREE, uncued=Uncued(0.1))
    with pytest.raises(Mismatch, match=r"fitted with another \[uncued\]"):
        free.check(cued().signal, other, Lda())
    free.check(cued().signal, PLAIN, Lda())
    without = replace(FREE, trials=replace(PLAIN.trials, idle=""))
    with pytest.raises(Mismatch, match=r"\[trials\] idle"):
        calibrate(without, Lda(), [cued(24)])
    values = Pipeline(0.05, probabilities=Probabilities())
    with pytest.raises(Mismatch, match="needs a decoder of classes"):
        calibrate(values, Ridge(3, 0.01), [followed(500)])


def test_a_calibration_says_what_error_rate_it_shows(free: Artifact) -> None:
    found = free.metrics["uncued"]
    assert found["error_rate"] <= found["shown"] <= 0.2
    assert found["wishes"] == 30  # a fifth of the recording was left out at a time
    several = calibrate(FREE, Lda(), [cued(24, seed=s) for s in range(3)])
    assert several.metrics["uncued"]["wishes"] == 36  # one recording was, at a time
    with pytest.raises(Mismatch, match=r"cannot be shown .* 11 trials would do"):
        calibrate(FREE, Lda(), [cued(12)])


def test_an_evaluation_says_how_reliable_and_how_often_wrong(free: Artifact) -> None:
    metrics = evaluate(free, FREE, Lda(), [cued(24, seed=7)]).metrics
    uncued = metrics["uncued"]
    assert uncued["wishes"] == 12
    assert uncued["answered"] >= 0.5
    assert uncued["error_rate"] <= 0.35
    assert uncued["ci95"][0] <= 0.2
    assert metrics["reliability"]["n"] == 24 * 19
    lines = "\n".join(score_lines(metrics))
    assert "probabilities are off by" in lines
    assert "stated 20.0%" in lines
    assert "of 12 wishes answered" in lines


def test_decisions_are_right_if_they_fall_where_they_were_meant() -> None:
    rate_hz, idle = 100.0, "rest"
    trials = [
        Trial(1000, "rest", 1200, 1400),
        Trial(1500, "go", 1700, 1900),
        Trial(2000, "rest", 2200, 2400),
    ]
    decisions = [
        (500, "go"),  # nobody wants anything yet
        (1550, "go"),  # early, but it is meant
        (1800, "stop"),  # another class
        (2100, "go"),  # the window still sees the trial before
        (2300, "go"),  # no more
    ]
    found = uncued_scores(0.1, idle, [Listened(rate_hz, 2999, trials, decisions)])
    assert (found["decisions"], found["wrong"]) == (5, 3)
    assert found["error_rate"] == pytest.approx(0.6)
    assert found["answered"] == 1.0
    assert found["median_s"] == pytest.approx(0.5)
    assert found["idle_minutes"] == pytest.approx(26 / 60)
    assert found["false_per_minute"] == pytest.approx(2 / (26 / 60))


def test_no_decision_at_all_is_no_error() -> None:
    found = uncued_scores(0.1, "rest", [Listened(100.0, 99, [], [])])
    assert (found["error_rate"], found["ci95"], found["answered"]) == (0.0, [0.0, 1.0], None)


def test_commands_on_decisions_are_neutral_between_them() -> None:
    commands = Commands(("x",), {"go": (1.0,)}, "click", on="decisions")
    said = Prediction(("rest", "go"), (0.2, 0.8))
    assert commands.command(said).mode == "neutral"
    decided = commands.command(replace(said, decision="go"))
    assert (decided.mode, decided.values, decided.confidence) == ("click", (1.0,), 0.8)
    assert commands.command(replace(said, decision="rest")).values == (0.0,)
