import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from decoders.deciding.trials import Trials
from decoders.features.covariance import Covariance
from decoders.lost_channels import Found, LostChannels, Others, OthersFit, Watch
from decoders.models.mdm import Mdm
from decoders.pipeline import Pipeline
from decoders.stage import Chain, Mismatch
from devices.signal import Chunk, Marker, Signal
from tests.decoders.made import cued

SIGNAL = Signal(100.0, ("a", "b", "c", "d"), "uV")
HOP = 10


def noise(n: int, seed: int = 0) -> np.ndarray:
    """Four channels: two of their own, and two that follow from those but for a little."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((n, 2))
    mixed = own @ [[2.0, 1.0], [1.0, -1.0]] + 0.01 * rng.standard_normal((n, 2))
    return (np.concatenate([own, mixed], axis=1) + np.array([5.0, 0.0, -3.0, 0.0])).astype(
        np.float32
    )


def chunk(values: np.ndarray, gap: bool = False) -> Chunk:
    return Chunk(np.arange(len(values)) / SIGNAL.rate_hz, values, gap)


def learned(policy: str) -> Others:
    fit = OthersFit(4)
    for block in np.split(noise(1000), 100):
        fit.add(chunk(block), Found({}, None))
    return fit.result(LostChannels(policy))


def watch(policy: str = "others", **options: float) -> Watch:
    recipe = LostChannels(policy, **options)
    others = None if policy == "refuse" else learned(policy)
    return Watch(recipe, SIGNAL, HOP, others)


def test_a_lost_channel_is_what_the_others_say_of_it() -> None:
    values = noise(HOP, 1)
    spoiled = values.copy()
    spoiled[3, 2] = np.nan
    found = watch()(chunk(spoiled))
    assert found.reasons == {"c": "not finite"}
    assert found.filled is not None
    assert np.abs(found.filled.values[:, 2] - values[:, 2]).max() < 0.1
    assert np.array_equal(found.filled.values[:, [0, 1, 3]], values[:, [0, 1, 3]])
    assert np.isnan(spoiled[3, 2])  # what came in is left as it was


def test_two_lost_at_once_and_then_another() -> None:
    looking, values = watch(), noise(HOP, 2)
    for lost in ([0, 2], [0, 2], [1]):
        spoiled = values.copy()
        spoiled[:, lost] = np.nan
        filled = looking(chunk(spoiled)).filled
        assert filled is not None
        assert np.abs(filled.values - values).max() < 0.2
    assert looking(chunk(values)) == Found({}, None)


def test_the_conditional_mean_is_the_textbook_s() -> None:
    others, x = learned("others"), noise(1, 3)[0].astype(float)
    lost, rest = np.array([1, 3]), np.array([0, 2])
    covariance = np.linalg.inv(others.precision)
    weights = covariance[np.ix_(lost, rest)] @ np.linalg.inv(covariance[np.ix_(rest, rest)])
    expected = others.mean[lost] + weights @ (x[rest] - others.mean[rest])
    k, c = others.gain(lost)
    x[lost] = 0.0
    assert x @ k + c == pytest.approx(expected, rel=1e-6)


def test_a_draw_changes_as_much_as_the_channel_did() -> None:
    rng = np.random.default_rng(0)
    values = (rng.standard_normal((20_000, 4)) * [1.0, 2.0, 3.0, 4.0]).astype(np.float32)
    fit = OthersFit(4)
    fit.add(chunk(values), Found({}, None))
    others = fit.result(LostChannels("draw"))
    looking = Watch(LostChannels("draw", 0.0), SIGNAL, HOP, others)
    spoiled = values.copy()
    spoiled[:, [1, 3]] = np.nan
    drawn = np.empty((20_000, 2))
    for i, block in enumerate(np.split(spoiled, 2000)):
        filled = looking(chunk(block)).filled
        assert filled is not None
        drawn[i * HOP : (i + 1) * HOP] = filled.values[:, [1, 3]]
    assert np.diff(drawn, axis=0).std(axis=0) == pytest.approx(
        np.diff(values[:, [1, 3]], axis=0).std(axis=0), rel=0.05
    )
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1


def test_a_mean_is_the_calibration_s() -> None:
    values = noise(HOP)
    values[:, 0] = np.inf
    filled = watch("mean")(chunk(values)).filled
    assert filled is not None
    assert filled.values[:, 0] == pytest.approx(noise(1000)[:, 0].mean(), abs=1e-5)


def test_flat_is_seen_after_a_while_and_over_at_once() -> None:
    looking, values = watch(flat_s=0.5), noise(200, 4)
    values[50:150, 1] = values[50, 1]
    reasons = [dict(looking(chunk(block)).reasons) for block in np.split(values, 20)]
    # Still since block 5; the five that follow it are half a second.
    assert reasons == [{}] * 10 + [{"b": "flat"}] * 5 + [{}] * 5


def test_nobody_looks_for_flat_channels_unless_told() -> None:
    zeros = np.zeros((HOP, 4), np.float32)
    for looking in (Watch(None, SIGNAL, HOP, None), watch(flat_s=0.0)):
        assert all(not looking(chunk(zeros)).reasons for _ in range(50))


def test_a_gap_forgets_how_long_a_channel_was_flat() -> None:
    looking, zeros = watch(flat_s=0.2, most=4), np.zeros((HOP, 4), np.float32)
    seen = [bool(looking(chunk(zeros, gap=i == 5)).reasons) for i in range(8)]
    assert seen == [False, False, True, True, True, False, False, True]


@pytest.mark.parametrize(
    "looking", [watch("refuse"), watch(most=1), Watch(None, SIGNAL, HOP, None)]
)
def test_more_than_may_be_lost_is_refused(looking: Watch) -> None:
    values = noise(HOP)
    values[0, :2] = np.nan
    found = looking(chunk(values))
    assert found == Found({"a": "not finite", "b": "not finite"}, None)


def test_values_whose_sum_is_too_large_are_not_lost() -> None:
    values = np.full((HOP, 4), 1e38, np.float32)
    assert not Watch(None, SIGNAL, HOP, None)(chunk(values)).reasons


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="flat_s = -1"):
        LostChannels(flat_s=-1)
    with pytest.raises(ValueError, match="most = 0"):
        LostChannels(most=0)


PIPELINE = Pipeline(
    0.1,
    stages=Chain((Covariance(1.0),)),
    trials=Trials({"L": "left", "R": "right"}, 1.0, 2.4),
    lost_channels=LostChannels("draw", 0.5),
)


@pytest.fixture(scope="module")
def model() -> Artifact:
    return calibrate(PIPELINE, Mdm(), [cued()])


def spoiled(seed: int = 5) -> tuple[Chunk, list[Marker]]:
    made = cued(seed=seed)
    values = made.values.astype(np.float32)
    values[800:1700, 1] = np.nan
    values[2000:3000, 2] = 4.0
    return Chunk(np.arange(len(values)) / 100.0, values), list(made.markers)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=12, max_size=12))
def test_chunks_change_nothing(model: Artifact, lengths: list[int]) -> None:
    whole, markers = spoiled()

    def said(cuts: list[int]) -> list[object]:
        run = model.run(cued().signal, PIPELINE, Mdm())
        edges = [0, *np.cumsum(cuts).tolist(), len(whole)]
        return [
            (d.moment.sample, d.outputs, d.bad_channels, dict(d.lost_channels))
            for i, (a, b) in enumerate(itertools.pairwise(edges))
            for d in run.feed(Chunk(whole.times[a:b], whole.values[a:b]), markers if not i else ())
        ]

    assert said(lengths) == said([])


def test_the_run_goes_on_and_says_what_is_lost(model: Artifact) -> None:
    whole, _ = spoiled()
    run = model.run(cued().signal, PIPELINE, Mdm())
    lost = [(bool(d.outputs), d.bad_channels, dict(d.lost_channels)) for d in run.feed(whole)]
    assert all(has_said and not bad for has_said, bad, _ in lost[10:])
    reasons = [reason for _, _, reason in lost]
    assert reasons[80:170] == [{cued().signal.channels[1]: "not finite"}] * 90
    assert reasons[206:300] == [{cued().signal.channels[2]: "flat"}] * 94


def test_a_model_keeps_what_it_needs_and_one_without_is_refused(model: Artifact, tmp_path) -> None:
    model.save(tmp_path / "m")
    again = Artifact.load(tmp_path / "m")
    assert np.array_equal(Others.of(again.weights).mean, Others.of(model.weights).mean)
    plain = calibrate(replace(PIPELINE, lost_channels=None), Mdm(), [cued()])
    assert Others.of(plain.weights) is None
    refusing = replace(PIPELINE, lost_channels=LostChannels("refuse"))
    for session in (refusing, replace(PIPELINE, lost_channels=None)):
        model.check(cued().signal, session, Mdm())
    with pytest.raises(Mismatch, match=r'not fitted with .lost_channels. policy = "draw"'):
        plain.check(cued().signal, PIPELINE, Mdm())
    with pytest.raises(Mismatch, match='policy = "mean"'):
        model.check(cued().signal, replace(PIPELINE, lost_channels=LostChannels("mean")), Mdm())


def test_too_little_to_learn_from_is_said() -> None:
    fit = OthersFit(4)
    fit.add(chunk(noise(3)), Found({}, None))
    with pytest.raises(Mismatch, match="3 samples are too few to learn what 4 channels say"):
        fit.result(LostChannels("others"))


def test_what_two_recordings_gave_adds_up() -> None:
    first, second, both = OthersFit(4), OthersFit(4), OthersFit(4)
    for fit, parts in ((first, (0,)), (second, (1,)), (both, (0, 1))):
        for i in parts:
            fit.add(chunk(noise(100, i), gap=True), Found({}, None))
    one, other = (f.result(LostChannels("others")) for f in (first + second, both))
    assert one.mean == pytest.approx(other.mean)
    assert one.precision == pytest.approx(other.precision)
