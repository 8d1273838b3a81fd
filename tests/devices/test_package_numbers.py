import numpy as np
import pytest

from devices.package_numbers import PackageNumbers

COUNTERS = {
    "bytes": np.arange(1000) % 256,
    "by two": np.arange(0, 2000, 2) % 256,
    "several samples a package": np.repeat(np.arange(250), 4) % 256,
    "without end": np.arange(100_000, 101_000),
    "as Muse counts": np.repeat(np.arange(90), 12) % 256,
}


@pytest.mark.parametrize("kind", COUNTERS)
@pytest.mark.parametrize("n", [1, 5, 37, 1000])
def test_nothing_is_missing_while_the_board_counts_on(kind, n):
    numbers = PackageNumbers()
    counter = COUNTERS[kind].astype(float)
    lost = [numbers.feed(counter[k : k + n]) for k in range(0, len(counter), n)]
    assert not np.concatenate(lost).any()


@pytest.mark.parametrize("kind", COUNTERS)
@pytest.mark.parametrize("n", [1, 5, 37, 1000])
@pytest.mark.parametrize("n_missing", [12, 48])
def test_missing_packages_are_counted_where_they_are_missing(kind, n, n_missing):
    counter = np.delete(COUNTERS[kind], slice(504, 504 + n_missing)).astype(float)
    numbers = PackageNumbers()
    lost = np.concatenate([numbers.feed(counter[k : k + n]) for k in range(0, len(counter), n)])
    assert lost[504] == n_missing
    assert lost.sum() == n_missing


def test_a_counter_without_known_period_that_falls_back_says_nothing():
    numbers = PackageNumbers()
    assert not numbers.feed(np.array([1000.0, 1001.0, 1002.0, 0.0, 1.0])).any()


def test_a_board_that_does_not_count_loses_nothing():
    assert not PackageNumbers().feed(np.zeros(50)).any()
