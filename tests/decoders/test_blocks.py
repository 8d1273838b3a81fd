import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoders.blocks import Blocks, hop_samples, pick
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

SIGNAL = Signal(100.0, ("a", "b", "c"), "uV")


def samples(n: int, first: int = 0, gap: bool = False) -> Chunk:
    index = np.arange(first, first + n)
    return Chunk(index / 100.0, (index[:, np.newaxis] + [0.0, 0.25, 0.5]).astype(np.float32), gap)


def cut(blocks: Blocks, chunks: list[Chunk]) -> list[tuple[int, bool, list[list[float]]]]:
    return [
        (block.sample, block.chunk.gap, block.chunk.values.tolist())
        for chunk in chunks
        for block in blocks.cut(chunk)
    ]


@given(st.integers(1, 12), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_blocks_do_not_depend_on_chunks(hop: int, lengths: list[int]):
    firsts = np.cumsum([0, *lengths]).tolist()
    chunks = [samples(n, first) for n, first in zip(lengths, firsts, strict=False)]
    parts = cut(Blocks(SIGNAL, hop), chunks)
    assert parts == cut(Blocks(SIGNAL, hop), [samples(sum(lengths))])
    assert [sample for sample, _, _ in parts] == list(range(hop - 1, sum(lengths), hop))


@given(st.integers(1, 12), st.integers(1, 50), st.integers(1, 50))
def test_a_block_never_spans_a_gap_and_all_samples_are_counted(hop: int, before: int, after: int):
    blocks = cut(Blocks(SIGNAL, hop), [samples(before), samples(after, 500, gap=True)])
    assert [s for s, _, _ in blocks] == [
        *range(hop - 1, before, hop),
        *range(before + hop - 1, before + after, hop),
    ]
    for sample, _, values in blocks:
        first = values[0][0]
        assert first == (sample - hop + 1 if sample < before else 500 + sample - before - hop + 1)
        assert values[-1][0] - first == hop - 1
    gaps = [gap for _, gap, _ in blocks]
    assert gaps == [False] * (before // hop) + [i == 0 for i in range(after // hop)]


@pytest.mark.parametrize("channels", [("a",), ("b", "c"), ("c", "a"), ("c", "b", "a")])
def test_channels_are_picked_by_name_in_the_order_asked_for(channels: tuple[str, ...]):
    blocks = Blocks(SIGNAL, 2, channels)
    assert blocks.signal.channels == channels
    ((_, _, values),) = cut(blocks, [samples(2)])
    at = [SIGNAL.channels.index(c) * 0.25 for c in channels]
    assert values == [at, [1 + x for x in at]]


def test_channels_that_are_missing_are_named():
    with pytest.raises(Mismatch, match="lacks 2 of 3 channels: x, y; it has a, b, c"):
        pick(SIGNAL, ("x", "a", "y"))


def test_a_hop_is_the_nearest_whole_number_of_samples():
    assert hop_samples(0.1, 160.0) == 16
    assert hop_samples(0.1, 512.0) == 51
    with pytest.raises(Mismatch, match=r"0.001 s is less than one sample at 100 Hz; .* 0.01 s"):
        hop_samples(0.001, 100.0)
