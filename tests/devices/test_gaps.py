import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.gaps import Gap, GapDetector, find_gaps, split_at_gaps

RATE_HZ = 250.0


def regular(n, start_s=0.0):
    return start_s + np.arange(n) / RATE_HZ


def test_regular_chunks_have_no_gap():
    detector = GapDetector(RATE_HZ)
    times = regular(1000, start_s=1e6)
    assert [detector.feed(times[i : i + 25]) for i in range(0, 1000, 25)] == [None] * 40


def test_the_first_sample_follows_nothing():
    assert GapDetector(RATE_HZ).feed(np.array([12345.0])) is None


def test_jitter_within_the_limit_is_no_gap():
    rng = np.random.default_rng(1)
    times = regular(1000) + rng.uniform(-0.1, 0.1, 1000)
    detector = GapDetector(RATE_HZ)
    assert [detector.feed(times[i : i + 10]) for i in range(0, 1000, 10)] == [None] * 100


@pytest.mark.parametrize("n_missing", [63, 250, 25_000])
def test_missing_samples_between_chunks_are_counted(n_missing):
    detector = GapDetector(RATE_HZ)
    detector.feed(regular(10))
    assert detector.feed(regular(10, (10 + n_missing) / RATE_HZ)) == Gap((0,), n_missing)
    assert detector.feed(regular(10, (20 + n_missing) / RATE_HZ)) is None


@pytest.mark.parametrize(("step_s", "is_gap"), [(0.1039, False), (0.1041, True)])
def test_the_limit_is_one_period_plus_gap_s(step_s, is_gap):
    detector = GapDetector(RATE_HZ, gap_s=0.1)
    detector.feed(np.array([0.0]))
    assert (detector.feed(np.array([step_s])) is not None) == is_gap


def test_every_gap_inside_a_chunk_is_found():
    times = np.concatenate([regular(5), regular(5, 1.0), regular(5, 2.0)])
    assert GapDetector(RATE_HZ).feed(times) == Gap((5, 10), 2 * 245)


def test_a_jump_back_is_a_gap_without_a_count_and_is_then_the_new_time():
    detector = GapDetector(RATE_HZ)
    detector.feed(regular(10, 100.0))
    assert detector.feed(regular(10, 5.0)) == Gap((0,), 0)
    assert detector.feed(regular(10, 5.0 + 10 / RATE_HZ)) is None


def test_slow_streams_need_a_whole_sample_missing():
    detector = GapDetector(rate_hz=1.0, gap_s=0.25)
    assert detector.feed(np.array([0.0, 1.9, 3.8])) is None
    assert detector.feed(np.array([5.9])) == Gap((0,), 1)


def test_a_stamp_that_is_not_a_number_is_a_gap():
    assert GapDetector(RATE_HZ).feed(np.array([0.0, np.nan, 0.008])) == Gap((1, 2), 0)


def test_a_file_splits_where_its_stamps_do():
    times = np.concatenate([regular(5), regular(7, 1.0), regular(3, 0.2)])
    assert find_gaps(times, RATE_HZ).tolist() == [5, 12]
    assert split_at_gaps(times, RATE_HZ) == [slice(0, 5), slice(5, 12), slice(12, 15)]


def test_nothing_splits_into_nothing():
    assert split_at_gaps(np.array([]), RATE_HZ) == []


@given(
    steps_s=st.lists(st.floats(-1, 1), min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 8), min_size=40, max_size=40),
)
def test_live_and_offline_agree_whatever_the_cuts(steps_s, cuts):
    times = np.cumsum(steps_s)
    edges = np.cumsum(cuts)
    detector, found, start = GapDetector(RATE_HZ), [], 0
    for part in np.split(times, edges[edges < len(times)]):
        if gap := detector.feed(part):
            found += [start + index for index in gap.indices]
        start += len(part)
    assert found == find_gaps(times, RATE_HZ).tolist()
