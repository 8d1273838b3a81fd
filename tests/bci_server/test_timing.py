import numpy as np
import pytest

from bci_server.timing import Histogram, Timing


def test_percentiles_are_right_to_the_width_of_a_bucket():
    durations = np.random.default_rng(1).lognormal(-7, 1, 20_000)
    histogram = Histogram(0.0)
    for d in durations:
        histogram.add(d, 1.0)
    got = histogram.percentiles(1.0)
    want = 1e3 * np.quantile(durations, [0.5, 0.99, 0.999], method="inverted_cdf")
    assert [got.p50, got.p99, got.p999] == pytest.approx(want.tolist(), rel=0.016)


def test_what_is_older_than_a_minute_is_forgotten():
    histogram = Histogram(0.0)
    histogram.add(1.0, 0.0)
    histogram.add(0.001, 30.0)
    assert histogram.percentiles(54.0).p99 == pytest.approx(1000, rel=0.016)
    assert histogram.percentiles(61.0).p99 == pytest.approx(1, rel=0.016)
    assert histogram.percentiles(95.0) is None
    assert histogram.percentiles(10_000.0) is None


@pytest.mark.parametrize("duration", [-1.0, 0.0, 1e-12, 1e9])
def test_durations_out_of_range_are_counted_at_its_ends(duration):
    histogram = Histogram(0.0)
    histogram.add(duration, 0.0)
    assert histogram.percentiles(0.0).p50 > 0


def test_a_block_that_takes_longer_than_a_hop_missed_its_deadline():
    timing = Timing(0.01, 0.0)
    timing.add(0.98, 1.0, 1.009)
    assert timing.deadline_misses == 0
    timing.add(0.98, 1.0, 1.011)
    assert timing.deadline_misses == 1
    spans = timing.percentiles(1.0)
    assert spans["sampled_received"].p50 == pytest.approx(20, rel=0.016)
    assert spans["received_decoded"].p999 == pytest.approx(11, rel=0.016)
    assert spans["sampled_decoded"].p999 == pytest.approx(31, rel=0.016)


def test_nothing_measured_says_nothing():
    assert Timing(0.01, 0.0).percentiles(5.0) == {}
