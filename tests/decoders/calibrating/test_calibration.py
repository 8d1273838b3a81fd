from dataclasses import replace

import numpy as np
import pytest

from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from decoders.calibrating.training_rows import training_of
from decoders.deciding.trials import Trials
from decoders.features.log_power import LogPower
from decoders.gathering import gather
from decoders.models.lda import Lda
from decoders.models.ridge import Ridge
from decoders.pipeline import Pipeline
from decoders.stage import Chain, Mismatch
from devices.signal import Marker, Signal
from tests.decoders.made import EEG, Made, cued, followed

TRIALS = Trials({"L": "left", "R": "right"}, 0.5, 2.5)
CLASSES = Pipeline(0.1, stages=Chain((LogPower(0.5),)), trials=TRIALS)
VALUES = Pipeline(0.05)


def test_a_decoder_of_classes_learns_from_trials_and_is_scored_on_others():
    model = calibrate(CLASSES, Lda(), [cued()])
    assert model.labels == ("left", "right")
    assert model.signal == EEG
    assert model.metrics["accuracy"] >= 0.9
    assert model.metrics["n"] == 12
    assert model.metrics["chance"] == 0.5
    assert model.pipeline["stages"] == [{"kind": "log_power", "window_s": 0.5}]
    assert model.versions["numpy"] == np.__version__


def test_a_model_that_is_not_scored_is_the_same_but_does_not_say_how_good_it_is():
    scored, fitted = (calibrate(CLASSES, Lda(), [cued()], scored=s) for s in (True, False))
    assert {k: v.tobytes() for k, v in fitted.weights.items()} == {
        k: v.tobytes() for k, v in scored.weights.items()
    }
    assert "accuracy" not in fitted.metrics


def test_without_a_difference_between_the_classes_the_score_is_chance():
    noise = replace(cued(40), values=np.random.default_rng(1).standard_normal((16_000, 3)))
    metrics = calibrate(CLASSES, Lda(), [noise]).metrics
    assert 0.25 <= metrics["accuracy"] <= 0.75


def test_a_continuous_decoder_learns_from_the_truth():
    model = calibrate(VALUES, Ridge(3, 0.01), [followed()])
    assert (model.labels, model.unit) == (("vx", "vy"), "m/s")
    assert min(model.metrics["r2"]) > 0.7


def test_only_the_channels_of_the_truth_that_are_asked_for():
    assert calibrate(VALUES, Ridge(1, 0.01), [followed()], ("vy",)).labels == ("vy",)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_the_model_is_the_same_however_the_recording_is_cut(chunk: int):
    whole = calibrate(CLASSES, Lda(), [cued()])
    assert calibrate(CLASSES, Lda(), [replace(cued(), chunk=chunk)]).hash == whole.hash


def test_a_model_of_two_recordings_rests_on_both():
    one, both = calibrate(CLASSES, Lda(), [cued()]), calibrate(CLASSES, Lda(), [cued(), cued(6, 1)])
    assert both.metrics["n"] == one.metrics["n"] + 6
    assert both.training_sha256 != one.training_sha256


def test_groups_are_trials_and_never_span_recordings_or_gaps():
    # The gap is 1 s into the first trial: what comes after it is no part of that trial.
    first, second = replace(cued(), gaps=(200,)), cued(6, 1)
    gathered = [gather(device, CLASSES) for device in (first, second)]
    training = training_of(gathered, CLASSES, Lda())
    assert len(np.unique(training.groups)) == 18
    lengths = np.bincount(training.groups)
    # A row each 0.1 s; those that end from 0.5 to 2.5 s after the cue.
    assert (lengths[1:] == 20).all()
    assert 0 < lengths[0] < 8
    for group in range(18):
        assert len(set(training.targets[training.groups == group])) == 1


def test_a_continuous_group_ends_at_a_gap():
    gathered = gather(replace(followed(), gaps=(1000, 1100)), VALUES)
    training = training_of([gathered], VALUES, Ridge())
    assert np.bincount(training.groups).tolist() == [1000, 100, 1900]


def test_the_truth_of_a_row_is_the_one_at_its_last_sample():
    made = followed()
    pipeline = Pipeline(0.2, stages=Chain((LogPower(),)))
    training = training_of([gather(made, pipeline)], pipeline, Ridge())
    assert made.truth is not None
    assert training.targets == pytest.approx(made.truth[3::4])


def test_progress_is_told():
    told: list[tuple[str, float]] = []
    calibrate(CLASSES, Lda(), [cued()], progress=lambda what, done: told.append((what, done)))
    whats = list(dict.fromkeys(what for what, _ in told))
    assert whats == ["reading", "cross-validation", "fitting"]
    assert max(done for what, done in told if what == "reading") == pytest.approx(47.99)


def test_it_can_be_saved_and_used(tmp_path):
    calibrate(CLASSES, Lda(), [cued()]).save(tmp_path / "m")
    run = Artifact.load(tmp_path / "m").run(EEG, CLASSES, Lda())
    made = cued(4, 9)
    stream = made.open()
    decisions = [
        output.decision
        for _ in range(len(made.values) // made.chunk)
        for decoded in run.feed(stream.read(1.0), stream.take_markers())
        for output in decoded.outputs
        if output.decision is not None
    ]
    assert decisions == ["left", "right", "left", "right"]


NOTHING = Made(np.random.default_rng(0).standard_normal((2000, 3)))


@pytest.mark.parametrize(
    ("pipeline", "decoder", "devices", "message"),
    [
        (CLASSES, Lda(), [], "no recording to fit on"),
        (
            CLASSES,
            Lda(),
            [replace(NOTHING, markers=(Marker(1.0, "go"), Marker(2.0, "go")))],
            r"waits for the markers L, R; the recordings have 2 × go",
        ),
        (CLASSES, Lda(), [NOTHING], "the recordings have none"),
        (
            CLASSES,
            Lda(),
            [replace(cued(), markers=cued().markers[:3])],
            r"class 'left' has 2 trials; at least 3 .* Found: 2 × left, 1 × right",
        ),
        (replace(CLASSES, trials=None), Lda(), [cued()], r"has no \[trials\] labels"),
        (VALUES, Ridge(), [cued()], "recording 1 has no truth stream"),
        (
            CLASSES,
            Lda(),
            [cued(), replace(cued(), signal=Signal(100.0, ("C3", "Cz", "Oz"), "uV"))],
            r"recording 1 has 100 Hz, uV on 3 channels \(C3, Cz, C4\); recording 2 has .*Oz",
        ),
        (
            CLASSES,
            Lda(),
            [cued(), replace(cued(), signal=Signal(200.0, EEG.channels, "uV"))],
            "recording 1 has 100 Hz.*recording 2 has 200 Hz",
        ),
    ],
)
def test_what_cannot_be_fitted_on_is_said_with_what_there_is(pipeline, decoder, devices, message):
    with pytest.raises(Mismatch, match=message):
        calibrate(pipeline, decoder, devices)


def test_a_wanted_channel_that_the_truth_lacks_is_named():
    with pytest.raises(Mismatch, match=r"recording 1 lacks vz; it has vx, vy"):
        calibrate(VALUES, Ridge(), [followed()], ("vx", "vz"))


def test_when_to_stop_is_learned_and_trials_end_sooner():
    trials = replace(TRIALS, stop_error=0.1)
    model = calibrate(replace(CLASSES, trials=trials), Lda(), [cued(24)])
    assert model.stopping is not None
    assert model.metrics["stopping"]["accuracy"] >= 0.9
    assert 0.5 <= model.metrics["stopping"]["mean_s"] < 2.4
    assert model.metrics["stopping"]["early"] > 0.5
    assert calibrate(CLASSES, Lda(), [cued(24)]).stopping is None


def test_rows_know_how_long_after_the_cue_they_end():
    training = training_of([gather(cued(), CLASSES)], CLASSES, Lda())
    assert training.ages is not None
    # The cue is at sample 100; blocks of 10 samples end at 159, 169, …
    assert training.ages[training.groups == 0].tolist() == list(range(59, 250, 10))
    part = training.part(training.groups == 3)
    assert part.ages is not None
    assert len(part.features) == len(part.targets) == len(part.ages) == 20
