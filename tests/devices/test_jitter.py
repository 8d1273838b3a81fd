import numpy as np
import pytest

from devices.jitter import Dejitter

RATE_HZ = 250.0


def smoothed(stamps, n_chunk=10, rate_hz=RATE_HZ):
    dejitter, times = Dejitter(rate_hz), stamps.copy()
    for start in range(0, len(times), n_chunk):
        dejitter.smooth(times[start : start + n_chunk])
    return times


def jittered(n, rms_s, rate_hz=RATE_HZ, start_s=1e5):
    return start_s + np.arange(n) / rate_hz + np.random.default_rng(0).normal(0, rms_s, n)


def test_regular_stamps_stay_exactly_as_they_are():
    stamps = 1e5 + np.arange(5000) / RATE_HZ
    np.testing.assert_array_equal(smoothed(stamps), stamps)


@pytest.mark.parametrize("true_rate_hz", [250.0, 248.7, 251.0])
def test_jitter_is_taken_away_at_the_rate_that_really_is(true_rate_hz):
    ideal = 1e5 + np.arange(20_000) / true_rate_hz
    times = smoothed(jittered(20_000, 1.5e-3, true_rate_hz))
    assert np.abs(times - ideal)[5000:].max() < 1e-3
    assert np.std(np.diff(times)[5000:]) < 2e-4


def test_chunks_stamped_when_sent_become_regular():
    sent_late_s = np.random.default_rng(1).uniform(0, 4e-3, 2000).repeat(10)
    ideal = 1e5 + np.arange(20_000) / RATE_HZ
    times = smoothed(ideal + sent_late_s)
    assert np.std((times - ideal)[5000:]) < 3e-4


def test_how_the_samples_were_cut_changes_nothing():
    stamps = jittered(3000, 3e-3)
    whole = smoothed(stamps, 3000)
    for n_chunk in (1, 7, 125, 1000):
        np.testing.assert_allclose(smoothed(stamps, n_chunk), whole, rtol=0, atol=1e-9)


def test_no_time_is_moved_further_than_the_bound():
    stamps = jittered(5000, 3e-3)
    stamps[3000:3010] += 0.1
    assert np.abs(smoothed(stamps) - stamps).max() <= Dejitter(RATE_HZ).bound_s + 1e-9


def test_after_a_restart_the_past_is_forgotten():
    dejitter = Dejitter(RATE_HZ)
    dejitter.smooth(jittered(5000, 3e-3))
    dejitter.restart()
    later = 2e5 + np.arange(1000) / RATE_HZ
    times = later.copy()
    dejitter.smooth(times)
    np.testing.assert_array_equal(times, later)


def test_times_follow_a_clock_that_drifts():
    stamps = jittered(100_000, 2e-3) + 1e-4 * np.arange(100_000) / RATE_HZ
    times = smoothed(stamps)
    ideal = 1e5 + np.arange(100_000) / RATE_HZ * (1 + 1e-4)
    assert np.abs(times - ideal)[5000:].max() < 1e-3


@pytest.mark.parametrize("first", [0, 3, 1000])
def test_hiccups_of_the_sender_do_not_bend_the_line(first):
    rng = np.random.default_rng(2)
    stamps = jittered(10_000, 1e-3)
    for start in [first, *rng.integers(2000, 9900, 8).tolist()]:
        stamps[start : start + 20] += 0.15 * np.linspace(1, 0, 20)  # held up, then caught up
    ideal = 1e5 + np.arange(10_000) / RATE_HZ
    off_s = np.abs(smoothed(stamps) - ideal)
    on_time = np.abs(stamps - ideal) < 5e-3
    assert np.percentile(off_s[1500:][on_time[1500:]], 95) < 1e-3
    assert off_s[on_time].max() < 5e-3  # no worse than the stamps themselves


def test_a_slip_of_the_sender_is_followed_within_two_seconds():
    stamps = jittered(10_000, 1e-3)
    stamps[5000:] += 0.2  # 50 samples lost: less than a gap
    ideal = 1e5 + np.arange(10_000) / RATE_HZ
    ideal[5000:] += 0.2
    assert np.abs(smoothed(stamps) - ideal)[5500:].max() < 4e-3
