"""What every stage promises, held against each kind that is there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import decoders.features
from decoders.decoder import Moment
from decoders.features.band_power import BandPower
from decoders.features.bandpass import Bandpass
from decoders.features.covariance import Covariance
from decoders.features.epoch import Epoch
from decoders.features.filter_bank import FilterBank
from decoders.features.filter_bank_cca import FilterBankCca
from decoders.features.filter_bank_covariance import FilterBankCovariance
from decoders.features.highpass import Highpass
from decoders.features.log_power import LogPower
from decoders.features.lowpass import Lowpass
from decoders.features.notch import Notch
from decoders.features.recentre import Recentre
from decoders.features.rereference import Rereference
from decoders.features.samples import Samples
from decoders.features.side_by_side import SideBySide
from decoders.features.smooth import Smooth
from decoders.features.spike_counts import SpikeCounts
from decoders.features.spike_power import SpikePower
from decoders.features.square_root import SquareRoot
from decoders.features.whiten import Whiten
from decoders.features.window import Window
from decoders.features.zscore import Zscore
from decoders.output import Command, Output
from decoders.pipeline import Decoded, Pipeline
from decoders.stage import Chain, Mismatch, Stage
from devices.signal import Chunk, Signal

EEG = Signal(250.0, ("C3", "Cz", "C4", "Pz"), "uV")
BROADBAND = Signal(15_000.0, ("u0", "u1", "u2"), "uV")
SLOW = Signal(20.0, EEG.channels, "uV")
SQUARE = Signal(10.0, ("a*a", "a*b", "b*b"), "uV^2")


@dataclass(frozen=True)
class Case:
    recipe: Stage
    signal: Signal = EEG
    hop_s: float = 0.1
    wrong: Signal | None = SLOW
    """A signal that it must refuse; None: it works on any."""


CASES = {
    "bandpass": [Case(Bandpass(8.0, 30.0)), Case(Bandpass(1.0, 40.0, 3), hop_s=0.5)],
    "highpass": [Case(Highpass(1.0), wrong=Signal(1.5, EEG.channels, "uV"))],
    "lowpass": [Case(Lowpass(40.0, 2))],
    "notch": [Case(Notch(50.0, harmonics=3))],
    "rereference": [
        Case(Rereference(), wrong=Signal(250.0, ("C3",), "uV")),
        Case(Rereference(("Cz", "Pz")), wrong=Signal(250.0, ("C3", "Cz"), "uV")),
    ],
    "zscore": [Case(Zscore(1.0, 0.5, 4.0), wrong=None), Case(Zscore(2.0, 0.0), wrong=None)],
    "smooth": [Case(Smooth(0.3), wrong=None)],
    "band_power": [
        Case(BandPower()),
        Case(BandPower({"mu": (8.0, 13.0)}, 0.5, 2), wrong=Signal(25.0, EEG.channels, "uV")),
    ],
    "epoch": [
        Case(Epoch(0.8, 0.1), hop_s=0.05, wrong=Signal(0.1, EEG.channels, "uV")),
        Case(Epoch(0.4), hop_s=0.02, wrong=Signal(1.0, EEG.channels, "uV")),
    ],
    "filter_bank": [Case(FilterBank({"mu": (8.0, 13.0), "beta": (13.0, 30.0)}))],
    "filter_bank_cca": [
        Case(FilterBankCca((10.0, 12.5), 1.0)),
        Case(FilterBankCca((7.0,), 0.5, ((5.0, 10.0), (10.0, 20.0)), 3, 2), hop_s=0.02),
    ],
    "filter_bank_covariance": [
        Case(FilterBankCovariance(1.0)),
        Case(FilterBankCovariance(0.5, ((5.0, 10.0), (10.0, 20.0)), 0.1, 2), hop_s=0.02),
    ],
    "side_by_side": [
        Case(SideBySide([Chain((Epoch(0.4, 0.1),)), Chain((Bandpass(8.0, 30.0), LogPower()))])),
        Case(
            SideBySide([Chain(()), Chain((Smooth(0.1),)), Chain((Lowpass(9.0),))]),
            hop_s=0.02,
            wrong=Signal(10.0, EEG.channels, "uV"),
        ),
    ],
    "samples": [Case(Samples(), wrong=None), Case(Samples(), wrong=None, hop_s=0.004)],
    "spike_counts": [
        Case(SpikeCounts(-2.0, 0.5), BROADBAND, 0.02, EEG),
        Case(SpikeCounts(threshold=40.0), BROADBAND, 0.0101, EEG),
    ],
    "spike_power": [Case(SpikePower(), BROADBAND, 0.02, EEG)],
    "log_power": [
        Case(LogPower(), wrong=None),
        Case(LogPower(0.5), wrong=Signal(2.0, EEG.channels, "uV"), hop_s=0.02),
    ],
    "square_root": [Case(SquareRoot(), wrong=None)],
    "window": [
        Case(Window(0.5), wrong=Signal(2.0, EEG.channels, "uV")),
        Case(Window(0.31, 5), wrong=Signal(10.0, EEG.channels, "uV"), hop_s=0.02),
        Case(Window(0.05, 5), wrong=SLOW),
    ],
    "recentre": [
        Case(Recentre(calibration_s=1.0), SQUARE),
        Case(Recentre("euclid", 1.0, 2.0), SQUARE),
        Case(Recentre("riemann", 0.0, 1.0), SQUARE),
    ],
    "whiten": [Case(Whiten(1.0), wrong=None), Case(Whiten(0.5, 1.0), wrong=None)],
    "covariance": [
        Case(Covariance(1.0), wrong=Signal(1.0, EEG.channels, "uV"), hop_s=0.02),
        Case(Covariance(0.5, 0.0), wrong=Signal(2.0, EEG.channels, "uV"), hop_s=0.02),
        Case(Covariance(0.2, 1.0), wrong=None),
    ],
}

ALL = [pytest.param(case, id=f"{kind} {i}") for kind in CASES for i, case in enumerate(CASES[kind])]


class Echo:
    """Says the last row of features, so that whatever differs in a bit is seen."""

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        row = tuple(chunk.values[-1].tolist())
        return (Command("velocity", tuple(map(str, range(len(row)))), row, "1"),)


def samples(signal: Signal, seconds: float, seed: int = 0) -> Chunk:
    rng = np.random.default_rng(seed)
    n = round(seconds * signal.rate_hz)
    values = rng.standard_normal((n, signal.n_channels)) * 20 + 5
    return Chunk(100.0 + np.arange(n) / signal.rate_hz, values.astype(np.float32))


def cut(chunk: Chunk, lengths: Sequence[int]) -> Iterator[Chunk]:
    begin = 0
    for n in lengths:
        part = slice(begin, begin + n)
        yield Chunk(chunk.times[part], chunk.values[part], chunk.gap and begin == 0)
        begin += n


def cuts(n: int, rate_hz: float) -> list[list[int]]:
    """One sample at a time, one second at a time, and at random."""
    rng = np.random.default_rng(n)
    second = max(1, round(rate_hz))
    random: list[int] = []
    while sum(random) < n:
        random.append(int(rng.integers(1, second + 1)))
    return [[1] * min(n, 2000), [second] * (n // second), random]


def said(case: Case, chunks: Sequence[Chunk]) -> list[tuple[int, Sequence[Output]]]:
    pipeline = Pipeline(case.hop_s, stages=Chain((case.recipe,)))
    run = pipeline.start(case.signal, lambda _: Echo())
    decoded: list[Decoded] = [d for chunk in chunks for d in run.feed(chunk)]
    return [(d.moment.sample, d.outputs) for d in decoded]


def test_every_kind_is_listed() -> None:
    folder = Path(decoders.features.__file__).parent
    assert set(CASES) == {p.stem for p in folder.glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("kind", CASES)
def test_a_kind_exports_one_recipe_that_is_documented(kind: str) -> None:
    module = import_module(f"decoders.features.{kind}")
    (name,) = module.__all__
    recipe = getattr(module, name)
    assert recipe.__dataclass_params__.frozen
    assert all(field.name in recipe.__doc__ for field in fields(recipe))
    assert all(isinstance(case.recipe, recipe) for case in CASES[kind])


@pytest.mark.parametrize("case", ALL)
def test_how_samples_are_cut_changes_nothing(case: Case) -> None:
    chunk = samples(case.signal, 4.0)
    whole = said(case, [chunk])
    assert any(outputs for _, outputs in whole)
    for lengths in cuts(len(chunk), case.signal.rate_hz):
        some = said(case, list(cut(chunk, lengths)))
        assert some == whole[: len(some)]


@pytest.mark.parametrize("case", ALL)
def test_rows_once_warm_are_always_as_many_as_promised(case: Case) -> None:
    chunk = samples(case.signal, 4.0)
    hop = round(case.hop_s * case.signal.rate_hz)
    step = case.recipe.start(case.signal, hop)
    rows = [
        (len(out), out.values.shape[1], np.isfinite(out.values).all(), out.times[-1:].copy())
        for i in range(0, len(chunk) - hop + 1, hop)
        for out in [step(Chunk(chunk.times[i : i + hop], chunk.values[i : i + hop]))]
    ]
    lengths = [n for n, _, _, _ in rows]
    cold = lengths.index(step.block)
    assert lengths == [0] * cold + [step.block] * (len(lengths) - cold)
    assert all(n == step.signal.n_channels for _, n, _, _ in rows)
    assert all(finite for _, _, finite, _ in rows)
    ends = chunk.times[hop - 1 :: hop][cold : len(rows)]
    assert np.concatenate([t for *_, t in rows]) == pytest.approx(ends)
    assert step.signal.rate_hz == pytest.approx(case.signal.rate_hz * step.block / hop)


@pytest.mark.parametrize("case", ALL)
def test_what_comes_after_a_gap_is_a_fresh_run(case: Case) -> None:
    before, after = samples(case.signal, 3.3, 1), samples(case.signal, 4.0, 2)
    after = Chunk(after.times + 60.0, after.values, gap=True)
    whole = said(case, [before, after])
    fresh = said(case, [Chunk(after.times, after.values)])
    n = len(before)
    assert [(s - n, o) for s, o in whole if s >= n] == fresh


@pytest.mark.parametrize("case", ALL)
@pytest.mark.parametrize("level", [0.0, 1e-30, 1e6, -187_500.0])
def test_finite_samples_never_give_what_is_not(case: Case, level: float) -> None:
    chunk = samples(case.signal, 4.0)
    flat = Chunk(chunk.times, np.full_like(chunk.values, level))
    for _, outputs in said(case, [flat]):
        for output in outputs:
            assert isinstance(output, Command)
            assert np.isfinite(output.values).all()


@pytest.mark.parametrize("case", [p for p in ALL if p.values[0].wrong is not None])
def test_a_wrong_signal_is_refused(case: Case) -> None:
    assert case.wrong is not None
    with pytest.raises(Mismatch, match=r"\d"):
        case.recipe.start(case.wrong, max(1, round(case.hop_s * EEG.rate_hz)))


@pytest.mark.parametrize("case", ALL)
def test_the_samples_that_come_in_are_left_alone(case: Case) -> None:
    chunk = samples(case.signal, 1.0)
    hop = round(case.hop_s * case.signal.rate_hz)
    before = chunk.values.copy()
    step = case.recipe.start(case.signal, hop)
    for i in range(0, len(chunk) - hop + 1, hop):
        step(Chunk(chunk.times[i : i + hop], chunk.values[i : i + hop]))
    assert (chunk.values == before).all()
