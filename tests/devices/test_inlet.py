import pytest

from devices.inlet import SenderChunk


def feed(chunk, sizes, rate_hz=1000.0, start_s=0.0):
    """Let bursts of these sizes come in one pull each, at the rate."""
    now_s = start_s
    for size in sizes:
        now_s += size / rate_hz
        chunk.learn(size, was_waited_for=True, arrival_s=now_s)
    return now_s


def test_one_sample_is_waited_for_until_more_is_known():
    assert SenderChunk(1000.0).size == 1


def test_the_senders_chunk_is_learnt():
    chunk = SenderChunk(1000.0)
    feed(chunk, [20] * 12)
    assert chunk.size == 20


def test_a_chunk_that_comes_in_pieces_is_put_together():
    chunk = SenderChunk(1000.0)
    for k in range(1, 13):
        arrival_s = k * 0.020
        chunk.learn(8, True, arrival_s)
        chunk.learn(12, k % 2 == 0, arrival_s + 1e-4)
    assert chunk.size == 20


def test_of_chunks_of_changing_size_the_smallest_is_waited_for():
    chunk = SenderChunk(1000.0)
    feed(chunk, [4, 5, 6] * 6)
    assert chunk.size == 4


def test_smaller_chunks_are_believed_soon():
    chunk = SenderChunk(1000.0)
    now_s = feed(chunk, [20] * 12)
    feed(chunk, [5] * 6, start_s=now_s)
    assert chunk.size == 5


def test_a_backlog_says_nothing_of_the_chunk():
    chunk = SenderChunk(1000.0)
    now_s = feed(chunk, [5] * 12)
    chunk.learn(3, was_waited_for=False, arrival_s=now_s + 1.0)
    feed(chunk, [5, 5], start_s=now_s + 1.0)
    assert chunk.size == pytest.approx(5)
