import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from bci_server.evaluation.evaluate import Controls, evaluate, evaluate_each
from bci_server.evaluation.tally import ClassTally
from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from decoders.deciding.trials import Trials
from decoders.decoder import Event, Moment
from decoders.features.log_power import LogPower
from decoders.models.lda import Lda
from decoders.models.ridge import Ridge
from decoders.output import Prediction
from decoders.output_hash import OutputHash
from decoders.pipeline import Decoded, Pipeline
from decoders.stage import Chain, Mismatch
from devices.signal import Chunk, Signal
from tests.decoders.made import EEG, Made, cued, followed

TRIALS = Trials({"L": "left", "R": "right"}, 0.5, 2.5)
CLASSES = Pipeline(0.1, stages=Chain((LogPower(0.5),)), trials=TRIALS)
VALUES = Pipeline(0.05)


@pytest.fixture(scope="module")
def sides() -> Artifact:
    return calibrate(CLASSES, Lda(), [cued()])


@pytest.fixture(scope="module")
def velocity() -> Artifact:
    return calibrate(VALUES, Ridge(3, 0.01), [followed()])


def test_classes_are_scored_trial_by_trial(sides):
    result = evaluate(sides, CLASSES, Lda(), [cued(8, 5)])
    assert result.n_trials == 8
    assert result.metrics["accuracy"] >= 0.8
    assert result.metrics["chance"] == 0.5
    assert np.sum(result.metrics["confusion"]) == 8
    assert result.metrics["cue_to_decision_s"] == pytest.approx(2.5, abs=0.11)
    assert result.decoder.hash == sides.hash
    assert result.recordings == ("made",)
    assert result.real_time_factor > 1
    assert 0 < result.latency_ms["p50"] <= result.latency_ms["p99"]


def test_its_json_has_the_fields_that_are_promised(sides):
    document = json.loads(msgspec.json.encode(evaluate(sides, CLASSES, Lda(), [cued(4)])))
    assert list(document) == [
        "decoder",
        "recordings",
        "n_trials",
        "metrics",
        "latency_ms",
        "real_time_factor",
        "outputs_sha256",
    ]
    assert {"accuracy", "auc", "chance", "ci95", "confusion"} <= set(document["metrics"])
    assert set(document["latency_ms"]) == {"p50", "p99"}


def test_the_hash_is_of_the_outputs_of_the_run(sides):
    made = cued(4, 5)
    run = sides.run(EEG, CLASSES, Lda())
    stream, running = made.open(), OutputHash()
    for _ in range(len(made.values) // made.chunk):
        for decoded in run.feed(stream.read(1.0), stream.take_markers()):
            for output in decoded.outputs:
                running.add(decoded.moment.sample, output)
    assert evaluate(sides, CLASSES, Lda(), [made]).outputs_sha256 == running.hexdigest()


@pytest.mark.parametrize("chunk", [1, 13, 100])
def test_the_size_of_chunks_changes_nothing(sides, chunk):
    whole = evaluate(sides, CLASSES, Lda(), [cued(6, 5)])
    cut = evaluate(sides, CLASSES, Lda(), [replace(cued(6, 5), chunk=chunk)])
    assert (cut.metrics, cut.outputs_sha256) == (whole.metrics, whole.outputs_sha256)


def test_permuted_labels_change_the_score_and_nothing_else(sides):
    made = cued(40, 5)
    plain = evaluate(sides, CLASSES, Lda(), [made])
    permuted = evaluate(sides, CLASSES, Lda(), [made], controls=Controls(permute_seed=1))
    assert permuted.outputs_sha256 == plain.outputs_sha256
    assert plain.metrics["accuracy"] > 0.9
    assert 0.25 <= permuted.metrics["accuracy"] <= 0.75


def test_controls_are_scored_together_as_they_are_alone(sides, velocity):
    wanted = [Controls(), Controls(permute_seed=1), Controls(threshold=0.6, skip_s=10.0)]
    shifts = [Controls(shift_s=37.0), Controls()]
    for model, pipeline, decoder, made, controls in (
        (sides, CLASSES, Lda(), cued(8, 5), wanted),
        (velocity, VALUES, Ridge(3, 0.01), followed(), shifts),
    ):
        together = evaluate_each(model, pipeline, decoder, [made, made], controls=controls)
        for result, each in zip(together, controls, strict=True):
            alone = evaluate(model, pipeline, decoder, [made, made], controls=each)
            assert result.metrics == alone.metrics
            assert result.outputs_sha256 == alone.outputs_sha256
        assert together[0].metrics != together[1].metrics


def test_a_trial_that_the_recording_cuts_short_is_not_scored(sides):
    made = cued(6, 5)
    cut = replace(made, values=made.values[: 5 * 400 + 200])
    assert evaluate(sides, CLASSES, Lda(), [cut]).n_trials == 5


def test_a_trial_that_a_gap_broke_is_wrong(sides):
    result = evaluate(sides, CLASSES, Lda(), [replace(cued(6, 5), gaps=(400 + 200,))])
    assert result.n_trials == 6
    assert [row[2] for row in result.metrics["confusion"]] == [0, 1]


def test_false_activations_are_counted_outside_of_trials():
    # 600 blocks of 0.1 s; one trial, cued at 40 s.
    sure = np.full(600, 0.6)
    sure[50:65] = 0.95  # long enough
    sure[100:105] = 0.95  # too short
    sure[200:210] = 0.05  # the other class
    sure[300:305], sure[305:310] = 0.95, 0.05  # two short ones, side by side
    sure[402:420] = 0.95  # within the trial
    tally = ClassTally(TRIALS, ("left", "right"), Controls(threshold=0.9, dwell_s=1.0))
    tally.begin(Made(np.zeros((1, 3))).open(), 100.0)
    for i, p in enumerate(sure):
        sample = 10 * i + 9
        events = (Event(4000, "L"),) if i == 400 else ()
        prediction = Prediction(("left", "right"), (float(p), float(1 - p)))
        block = Chunk(np.zeros(10), np.zeros((10, 3)))
        tally.take(Decoded(Moment(sample, sample / 100, events), (prediction,), False, (), block))
    _, scores = tally.score()
    found = scores["false_activations"]
    assert found["minutes"] == pytest.approx((600 - 25) / 600)
    assert found["per_minute"] * found["minutes"] == pytest.approx(2)
    assert (found["threshold"], found["dwell_s"]) == (0.9, 1.0)


def test_being_sure_of_idle_is_no_activation():
    tally = ClassTally(replace(TRIALS, idle="left"), ("left", "right"), Controls())
    tally.begin(Made(np.zeros((1, 3))).open(), 100.0)
    sure = np.full(600, 0.95)
    sure[200:215] = 0.05
    for i, p in enumerate(sure):
        sample = 10 * i + 9
        events = (Event(4000, "L"),) if i == 400 else ()
        prediction = Prediction(("left", "right"), (float(p), float(1 - p)))
        block = Chunk(np.zeros(10), np.zeros((10, 3)))
        tally.take(Decoded(Moment(sample, sample / 100, events), (prediction,), False, (), block))
    found = tally.score()[1]["false_activations"]
    assert found["per_minute"] * found["minutes"] == pytest.approx(1)


def test_values_are_scored_against_the_truth(velocity):
    result = evaluate(velocity, VALUES, Ridge(3, 0.01), [followed(2000, 0)])
    assert result.n_trials == 0
    assert result.metrics["names"] == ["vx", "vy"]
    assert min(result.metrics["r2"]) > 0.7
    assert result.metrics["n"] == 1998


def test_truth_of_another_time_scores_nothing(velocity):
    result = evaluate(
        velocity, VALUES, Ridge(3, 0.01), [followed()], controls=Controls(shift_s=37.0)
    )
    assert max(result.metrics["r2"]) < 0.2


def test_a_control_keeps_to_what_is_truth_when_some_is_missing(velocity):
    made = followed()
    truth = made.truth.copy()
    truth[500:1500] = np.nan
    gappy = replace(made, truth=truth)
    plain = evaluate(velocity, VALUES, Ridge(3, 0.01), [gappy]).metrics
    shifted = evaluate(
        velocity, VALUES, Ridge(3, 0.01), [gappy], controls=Controls(shift_s=37.0)
    ).metrics
    assert shifted["n"] == plain["n"] == 1998
    assert all(-2 < r2 < 0.2 and r2 != 0 for r2 in shifted["r2"])


@pytest.mark.parametrize(
    ("pipeline", "devices", "message"),
    [
        (CLASSES, [], "no recording to evaluate on"),
        (CLASSES, [replace(cued(), markers=())], "no whole trial .* L, R; there were none"),
        (replace(CLASSES, trials=None), [cued()], "no \\[trials\\]"),
        (
            CLASSES,
            [replace(cued(), signal=Signal(200.0, EEG.channels, "uV"))],
            "fitted at 100 Hz on 3 channels; the stream has 200 Hz on 3",
        ),
    ],
)
def test_what_cannot_be_scored_is_said(sides, pipeline, devices, message):
    with pytest.raises(Mismatch, match=message):
        evaluate(sides, pipeline, Lda(), devices)


def test_a_recording_without_truth_cannot_score_values(velocity):
    silent = replace(followed(), truth=None, truth_signal=None)
    with pytest.raises(Mismatch, match="made has no truth stream"):
        evaluate(velocity, VALUES, Ridge(3, 0.01), [silent])
