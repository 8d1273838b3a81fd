import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from decoders.decoder import Moment, Weights
from decoders.models.speech_conformer import SpeechConformer as Recipe
from decoders.networks.speech_conformer import ConformerShape, SpeechConformer
from decoders.networks.speech_gru import Utterances
from decoders.networks.standard import Standardized
from decoders.output import Output, Prediction
from decoders.pipeline import Pipeline, Run
from decoders.speech.conformer_step import ConformerSteps
from decoders.speech.gru_arrays import of_day
from decoders.speech.gru_step import DayLayer
from decoders.training.conformer_arrays import arrays_of, network_of, shape_of
from decoders.training.front_arrays import standard_of
from devices.signal import Chunk, Signal
from devices.speech.phonemes import CLASSES

F = 6
SMALL = ConformerShape(
    F, 4, 14, 4, width=12, heads=3, layers=2, inner=10, kernel=4, context=5, classes=7
)
SIGNAL = Signal(50.0, tuple(f"e{i}" for i in range(F)), "1")

Floats = NDArray[np.float32]


def network(shape: ConformerShape, days: int = 1) -> tuple[SpeechConformer, Standardized]:
    """Return one of which every number matters: those that begin at 0 or 1 do not stay there."""
    torch.manual_seed(3)
    made = SpeechConformer(shape, days).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    mean, inverse = np.random.default_rng(4).standard_normal((2, F)).astype(np.float32)
    return made, Standardized(mean, inverse)


def weights_of(shape: ConformerShape) -> Weights:
    return arrays_of(*network(shape), (0,))


def noise(n: int, seed: int = 5) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, F)).astype(np.float32)


def in_one_pass(
    made: SpeechConformer, standard: Standardized, rows: Floats, day: int = 0
) -> Floats:
    with torch.no_grad():
        read = Utterances(standard(torch.from_numpy(rows))[None], torch.tensor([day]))
        said: Floats = made(read)[0].numpy()
    return said


def row_by_row(weights: Weights, rows: Floats) -> Floats:
    day, steps = DayLayer(weights), ConformerSteps(weights)
    return np.array([said for row in rows if (said := steps(day(row))) is not None])


@pytest.mark.parametrize("reduced", [0, 4])
@pytest.mark.parametrize(
    ("patch", "stride"), [(14, 4), (5, 4), (4, 4), (2, 4), (6, 1), (1, 1), (7, 3)]
)
def test_row_by_row_says_what_one_pass_over_the_stretch_says(
    patch: int, stride: int, reduced: int
) -> None:
    shape = replace(SMALL, patch=patch, stride=stride, reduced=reduced)
    made, standard = network(shape)
    rows = noise(90)
    live = row_by_row(arrays_of(made, standard, (0,)), rows)
    assert np.abs(live - in_one_pass(made, standard, rows)).max() < 1e-5


@pytest.mark.parametrize(
    ("kernel", "context", "heads", "layers"),
    [(1, 1, 1, 1), (1, 7, 2, 1), (9, 1, 4, 1), (3, 64, 12, 3), (8, 20, 6, 2)],
)
def test_it_does_so_however_far_it_looks_back(
    kernel: int, context: int, heads: int, layers: int
) -> None:
    made, standard = network(
        replace(SMALL, kernel=kernel, context=context, heads=heads, layers=layers)
    )
    rows = noise(200)
    live = row_by_row(arrays_of(made, standard, (0,)), rows)
    assert np.abs(live - in_one_pass(made, standard, rows)).max() < 1e-5


def test_what_comes_later_changes_nothing() -> None:
    made, standard = network(SMALL)
    rows = noise(134)
    changed = rows.copy()
    changed[74:] += 100.0
    before, after = (in_one_pass(made, standard, x) for x in (rows, changed))
    assert np.array_equal(before[:16], after[:16])
    assert np.abs(before[16] - after[16]).max() > 1e-3


def test_what_lies_further_back_than_it_reaches_is_forgotten() -> None:
    """Of each of two blocks: 4 steps more by attention, 3 by convolution; a patch has 14 rows."""
    weights = weights_of(SMALL)
    steps = 2 * (4 + 3)
    rows = noise(14 + 4 * steps + 40)
    changed = rows.copy()
    changed[:4] += 10.0  # of the first step alone
    before, after = row_by_row(weights, rows), row_by_row(weights, changed)
    assert np.array_equal(before[steps + 1 :], after[steps + 1 :])
    assert np.abs(before[: steps + 1] - after[: steps + 1]).max(axis=1).min() > 0


def test_a_stretch_says_the_same_whenever_it_comes() -> None:
    """Positions are distances: an hour into a run a step is what it was at the start."""
    weights = weights_of(SMALL)
    stretch = noise(160)
    early, late = (
        row_by_row(weights, np.concatenate([noise(n, n), stretch]))[-12:] for n in (80, 4000)
    )
    assert np.abs(early - late).max() < 1e-5


def test_its_memory_is_all_there_at_the_start() -> None:
    weights = weights_of(SMALL)
    day, steps = DayLayer(weights), ConformerSteps(weights)
    rows = noise(1200)
    for row in rows[:200]:
        steps(day(row))
    tracemalloc.start()
    for row in rows[200:]:
        steps(day(row))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2_000


def decoded(weights: Weights, chunks: list[Chunk]) -> list[Output]:
    recipe = Recipe(width=12, heads=3)
    run = Run(Pipeline(0.02), SIGNAL, lambda signal: recipe.start(signal, CLASSES[:7], "", weights))
    return [output for chunk in chunks for one in run.feed(chunk) for output in one.outputs]


def chunk(rows: Floats, first: int = 0, *, gap: bool = False) -> Chunk:
    return Chunk((first + np.arange(len(rows))) / 50.0, rows, gap)


def test_however_rows_are_cut_the_same_bits_are_said() -> None:
    weights, rows = weights_of(SMALL), noise(150)
    whole = decoded(weights, [chunk(rows)])
    edges = [0, 1, 2, 30, 31, 97, 150]
    cut = [chunk(rows[a:b], a) for a, b in pairwise(edges)]
    assert len(whole) == 35
    assert decoded(weights, cut) == whole


def test_after_a_gap_nothing_is_known_of_what_was_before() -> None:
    weights, before, after = weights_of(SMALL), noise(150), noise(90, 6)
    both = decoded(weights, [chunk(before), chunk(after, 500, gap=True)])
    assert both[35:] == decoded(weights, [chunk(after)])
    joined = decoded(weights, [chunk(before), chunk(after, 150)])
    assert joined[-20:-15] != both[-20:-15]


def test_arrays_make_the_network_again() -> None:
    made, standard = network(SMALL, days=2)
    weights = arrays_of(made, standard, (0, 1))
    again = network_of(weights, 1).eval()
    newest = in_one_pass(made, standard, noise(60), day=1)
    assert shape_of(weights) == SMALL
    assert np.allclose(in_one_pass(again, standard_of(weights), noise(60)), newest, atol=1e-5)
    assert not np.allclose(in_one_pass(made, standard, noise(60), day=0), newest, atol=1e-3)


def test_a_session_is_decoded_through_the_layer_of_its_day() -> None:
    made, standard = network(SMALL, days=2)
    weights = arrays_of(made, standard, (3, 8))
    for day, session in enumerate((3, 8)):
        live = row_by_row(of_day(weights, session), noise(60))
        assert np.abs(live - in_one_pass(made, standard, noise(60), day)).max() < 1e-5


def test_its_parts_have_the_parameters_that_the_documentation_tells() -> None:
    made = SpeechConformer(ConformerShape(256, 48))
    counts = {
        name: sum(p.numel() for p in module.parameters())
        for name, module in [*made.named_children(), *made.blocks[0].named_children()]
    }
    assert counts == {
        "day": 65_792,
        "dropout_in": 0,
        "reduce": 12_288,
        "input": 86_144,
        "dropout": 0,
        "blocks": 759_552,
        "scores": 5_289,
        "first": 65_920,
        "attention": 70_144,
        "convolution": 50_944,
        "second": 65_920,
        "norm": 256,
    }
    assert sum(p.numel() for p in made.parameters()) == 929_065


def test_a_width_that_its_heads_do_not_divide_is_refused_with_both() -> None:
    with pytest.raises(ValueError, match="width = 10, heads = 4"):
        Recipe(width=10)
    with pytest.raises(ValueError, match="context must be at least 1, not 0"):
        Recipe(context=0)


def test_a_prediction_is_over_the_classes_and_comes_where_a_step_ends() -> None:
    recipe, weights = Recipe(width=12, heads=3), weights_of(SMALL)
    run = recipe.start(SIGNAL, CLASSES[:7], "", weights)
    said = [run(chunk(noise(1, n), n), Moment(n, n / 50)) for n in range(30)]
    assert [n for n, outputs in enumerate(said) if outputs] == [13, 17, 21, 25, 29]
    (output,) = said[13]
    assert isinstance(output, Prediction)
    assert output.labels == CLASSES[:7]
