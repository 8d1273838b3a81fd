from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.decoder import Event
from decoders.features.bandpass import Bandpass
from decoders.features.log_power import LogPower
from decoders.features.zscore import Zscore
from decoders.output import Command
from decoders.pipeline import Pipeline
from decoders.stage import Chain, Mismatch
from devices.signal import Chunk, Marker, Signal

SIGNAL = Signal(100.0, ("a", "b"), "uV")
PIPELINE = Pipeline(0.05, stages=Chain((Bandpass(5, 20), LogPower(0.2), Zscore(2.0, 0.5))))


@dataclass
class Counting:
    """Says the last row, and how many blocks this decoding has seen."""

    blocks: int = 0

    def __call__(self, chunk, moment):
        self.blocks += 1
        row = chunk.values[-1].tolist() if len(chunk) else []
        return (Command("velocity", ("n",), (float(self.blocks), *row), "1"),)


def start(pipeline=PIPELINE):
    return pipeline.start(SIGNAL, lambda _: Counting())


def samples(n, first=0, gap=False, bad=()):
    rng = np.random.default_rng(first)
    values = rng.standard_normal((n, 2)).astype(np.float32)
    for at in bad:
        values[at, 1] = np.nan
    return Chunk((first + np.arange(n)) / 100.0, values, gap)


def cut(chunk, lengths):
    begin = 0
    for n in lengths:
        part = slice(begin, begin + n)
        yield Chunk(chunk.times[part], chunk.values[part], chunk.gap and begin == 0)
        begin += n


def said(run, chunks):
    return [
        (d.moment.sample, d.outputs, d.gap, d.bad_channels) for c in chunks for d in run.feed(c)
    ]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_chunks_change_nothing_even_with_bad_samples(data):
    whole = samples(400, bad=data.draw(st.lists(st.integers(0, 399), max_size=2)))
    lengths = data.draw(st.lists(st.integers(1, 100), min_size=10, max_size=10))
    parts = said(start(), list(cut(whole, lengths)))
    assert parts == said(start(), [whole])[: len(parts)]


def test_a_gap_starts_everything_anew():
    after = samples(200, 1000, gap=True)
    whole = said(start(), [samples(203), after])
    fresh = said(start(), [Chunk(after.times, after.values)])
    assert [(s - 203, o) for s, o, _, _ in whole[40:]] == [(s, o) for s, o, _, _ in fresh]
    assert [gap for _, _, gap, _ in whole] == [i == 40 for i in range(80)]


def test_a_bad_block_is_not_decoded_named_and_what_follows_starts_anew():
    whole = said(start(), [samples(200, bad=[52])])
    assert [bad for _, _, _, bad in whole] == [("b",) if i == 10 else () for i in range(40)]
    assert whole[10][1][0].values == (11.0,)
    after = said(start(), [Chunk(samples(200).times[55:], samples(200).values[55:])])
    assert [o for _, o, _, _ in whole[11:]] == [o for _, o, _, _ in after]
    assert whole[11][2]


def test_markers_reach_the_block_that_holds_their_time():
    run = start()
    moments = [
        d.moment
        for chunk in cut(samples(100), [30, 70])
        for d in run.feed(chunk, [Marker(0.22, "x")] if chunk.times[0] == 0 else [])
    ]
    assert [(m.sample, m.events) for m in moments if m.events] == [(24, (Event(22, "x"),))]


def test_events_that_are_bound_already_are_given_out_when_they_are_reached():
    run = start()
    known = Event(40, "go", "client")
    moments = [
        d.moment for i in range(4) for d in run.feed(samples(25, 25 * i), (), [known][: i == 0])
    ]
    assert [(m.sample, m.events) for m in moments if m.events] == [(44, (known,))]


def test_the_block_as_picked_comes_along():
    run = Pipeline(0.05, ("b",)).start(SIGNAL, lambda _: Counting())
    (decoded,) = run.feed(samples(5))
    assert decoded.block.values.tolist() == samples(5).values[:, 1:].tolist()


def test_a_channel_that_is_not_there_is_refused_at_the_start():
    with pytest.raises(Mismatch, match="lacks 1 of 1 channels: z"):
        Pipeline(0.05, ("z",)).start(SIGNAL, lambda _: Counting())


def test_no_stages_pass_the_samples_on():
    run = Pipeline(0.05).start(SIGNAL, lambda _: Counting())
    (decoded,) = run.feed(samples(5))
    assert decoded.outputs[0].values[1:] == tuple(samples(5).values[-1].tolist())
