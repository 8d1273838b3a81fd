from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.networks.speech_gru import GruShape, SpeechGru, Utterances
from decoders.networks.standard import DayStandards, Standardized
from decoders.speech.gru_arrays import of_day
from decoders.speech.gru_graph_step import NOW, GraphGru
from decoders.speech.gru_step import DayLayer, SplitGru
from decoders.training.front_arrays import standard_of
from decoders.training.gru_arrays import arrays_of, network_of
from decoders.training.gru_graphs import halves

F = 6


def network(shape: GruShape, days: int = 1) -> tuple[SpeechGru, Standardized]:
    torch.manual_seed(3)
    made = SpeechGru(shape, days).eval()
    with torch.no_grad():
        made.day.departures.normal_(std=0.3)
        made.day.biases.normal_(std=0.3)
    rng = np.random.default_rng(4)
    mean, inverse = rng.standard_normal((2, F)).astype(np.float32)
    return made, Standardized(mean, inverse)


def in_one_pass(
    made: SpeechGru, standard: Standardized, rows: NDArray[np.float32], day: int = 0
) -> NDArray[np.float32]:
    with torch.no_grad():
        read = Utterances(standard(torch.from_numpy(rows))[None], torch.tensor([day]))
        said: NDArray[np.float32] = made(read)[0].numpy()
    return said


def row_by_row(weights: Weights, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    day = DayLayer(weights)
    steps = GraphGru(weights) if NOW in weights else SplitGru(weights)
    return np.array([said for row in rows if (said := steps(day(row))) is not None])


@pytest.mark.parametrize("reduced", [0, 4])
@pytest.mark.parametrize(
    ("patch", "stride"), [(14, 4), (5, 4), (4, 4), (3, 4), (2, 4), (6, 1), (1, 1), (7, 3), (8, 2)]
)
def test_row_by_row_says_what_one_pass_over_the_stretch_says(
    patch: int, stride: int, reduced: int
) -> None:
    made, standard = network(GruShape(F, reduced, patch, stride, units=5, layers=3, classes=7))
    rows = np.random.default_rng(5).standard_normal((61, F)).astype(np.float32)
    live = row_by_row(arrays_of(made, standard, (0,)), rows)
    assert np.abs(live - in_one_pass(made, standard, rows)).max() < 1e-5


@pytest.mark.parametrize(("patch", "stride"), [(14, 4), (4, 4), (6, 1), (7, 3), (2, 4)])
def test_two_graphs_say_what_one_pass_says(patch: int, stride: int) -> None:
    made, standard = network(GruShape(F, 4, patch, stride, units=5, layers=3, classes=7))
    rows = np.random.default_rng(5).standard_normal((41, F)).astype(np.float32)
    weights = arrays_of(made, standard, (0,))
    live = row_by_row({**weights, **halves(weights)}, rows)
    assert np.abs(live - in_one_pass(made, standard, rows)).max() < 1e-5


def test_a_network_of_one_layer_has_no_deeper_ones() -> None:
    made, standard = network(GruShape(F, 0, 6, 2, units=5, layers=1, classes=7))
    rows = np.random.default_rng(5).standard_normal((30, F)).astype(np.float32)
    live = row_by_row(arrays_of(made, standard, (0,)), rows)
    assert np.abs(live - in_one_pass(made, standard, rows)).max() < 1e-5


def test_the_last_row_of_a_step_waits_for_no_more_than_its_own_share() -> None:
    """What is not of the last row must be done when it comes: its weights may even be gone."""
    made, standard = network(GruShape(F, 0, 14, 4, units=5, layers=3, classes=7))
    weights = dict(arrays_of(made, standard, (0,)))
    rows = np.random.default_rng(5).standard_normal((14, F)).astype(np.float32)
    expected = row_by_row(weights, rows)
    for name in ("input", "hidden"):
        weights[name] = weights[name].copy()
    day, steps = DayLayer(weights), SplitGru(weights)
    for row in rows[:13]:
        assert steps(day(row)) is None
    weights["hidden"][:] = np.nan
    weights["input"][[0, 1, 2, 3, *range(4, 7), *range(8, 14)]] = np.nan
    assert np.array_equal(steps(day(rows[13])), expected[0])


def test_arrays_make_the_network_again() -> None:
    made, standard = network(GruShape(F, 4, 14, 4, units=5, layers=3, classes=7), days=2)
    weights = arrays_of(made, standard, (0, 1))
    again = network_of(weights, 1).eval()
    rows = np.random.default_rng(5).standard_normal((40, F)).astype(np.float32)
    newest = in_one_pass(made, standard, rows, day=1)
    assert np.allclose(in_one_pass(again, standard_of(weights), rows), newest, atol=1e-6)
    assert not np.allclose(in_one_pass(made, standard, rows, day=0), newest, atol=1e-3)


def test_each_day_s_rows_are_brought_to_deviations_of_their_own() -> None:
    made, _ = network(GruShape(F, 0, 6, 2, units=5, layers=1, classes=7), days=2)
    mean, inverse = np.random.default_rng(6).standard_normal((2, 2, F)).astype(np.float32)
    standards = DayStandards(mean, inverse)
    weights = arrays_of(made, standards, (3, 8))
    rows = np.random.default_rng(5).standard_normal((30, F)).astype(np.float32)
    for day, session in enumerate((3, 8)):
        live = row_by_row(of_day(weights, session), rows)
        assert np.abs(live - in_one_pass(made, standards.of_day(day), rows, day)).max() < 1e-5
    of_row = torch.arange(30) % 2
    both = standards(torch.from_numpy(rows), of_row)
    for day in range(2):
        assert torch.equal(
            both[of_row == day], standards.of_day(day)(torch.from_numpy(rows[day::2]))
        )


def test_a_model_with_one_mean_for_all_days_is_read_as_ever() -> None:
    made, standard = network(GruShape(F, 4, 6, 2, units=5, layers=1, classes=7), days=2)
    weights = arrays_of(made, standard, (3, 8))
    older = {**weights, "mean": weights["mean"][0], "inverse": weights["inverse"][0]}
    rows = np.random.default_rng(5).standard_normal((30, F)).astype(np.float32)
    for session in (3, 8):
        assert np.array_equal(
            row_by_row(of_day(older, session), rows), row_by_row(of_day(weights, session), rows)
        )


def test_a_session_is_decoded_through_the_layer_of_its_day() -> None:
    made, standard = network(GruShape(F, 0, 6, 2, units=5, layers=1, classes=7), days=2)
    weights = arrays_of(made, standard, (3, 8))
    rows = np.random.default_rng(5).standard_normal((30, F)).astype(np.float32)
    for day, session in enumerate((3, 8)):
        live = row_by_row(of_day(weights, session), rows)
        assert np.abs(live - in_one_pass(made, standard, rows, day)).max() < 1e-5


def test_the_baseline_s_shape_has_its_number_of_parameters() -> None:
    """512 features, 5 layers of 768 units: 32.8 million with one day; the public data has 45."""
    with torch.device("meta"), torch.no_grad():
        shape = GruShape(512)
        counts = {
            days: sum(p.numel() for p in _sized(replace(shape), days).parameters())
            for days in (0, 1, 45)
        }
    assert counts == {0: 32_495_657, 1: 32_758_313, 45: 44_315_177}


def _sized(shape: GruShape, days: int) -> SpeechGru:
    # Orthogonal matrices of this size take seconds, and do not change the count.
    saved = torch.nn.init.orthogonal_
    torch.nn.init.orthogonal_ = lambda tensor: tensor
    try:
        return SpeechGru(shape, days)
    finally:
        torch.nn.init.orthogonal_ = saved
