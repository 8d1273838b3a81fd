import numpy as np
import pytest

from devices.stamps import Timeline

RATE_HZ = 100.0


def place(timeline, raw, arrival_s):
    times = np.zeros(len(raw))
    gaps = timeline.place(np.asarray(raw, dtype=float), arrival_s, times)
    return times, gaps


def regular(start_s, n=10):
    return start_s + np.arange(n) / RATE_HZ


def test_the_offset_brings_stamps_onto_this_clock():
    timeline = Timeline(RATE_HZ, 0.25, offset_s=500.0)
    times, gaps = place(timeline, regular(10.0), 510.1)
    np.testing.assert_array_equal(times, regular(10.0) + 500.0)
    assert gaps == ()
    assert timeline.to_local(10.05) == 510.05


def test_on_one_clock_stamps_stay_exactly_as_they_are():
    timeline = Timeline(RATE_HZ, 0.25, offset_s=-3.3e-5)
    times, _ = place(timeline, regular(10.0), 10.1)
    np.testing.assert_array_equal(times, regular(10.0))


def test_missing_samples_are_counted():
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    place(timeline, regular(10.0), 10.1)
    times, gaps = place(timeline, regular(11.1), 11.2)
    assert gaps == (0,)
    np.testing.assert_array_equal(times, regular(11.1))
    assert (timeline.n_gaps, timeline.n_lost, timeline.n_jumps) == (1, 100, 0)


def test_missing_samples_in_a_backlog_are_no_jump():
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    place(timeline, regular(10.0), 20.0)
    times, gaps = place(timeline, regular(15.0), 20.001)
    assert gaps == (0,)
    assert times[0] == 15.0
    assert timeline.n_jumps == 0


@pytest.mark.parametrize("jump_s", [3600.0, -5.0, -1e6])
def test_a_jump_of_the_sender_clock_is_no_loss_and_time_goes_on(jump_s):
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    before, _ = place(timeline, regular(10.0), 10.10)
    after, gaps = place(timeline, regular(10.1 + jump_s), 10.20)
    assert gaps == (0,)
    np.testing.assert_allclose(after, before[-1] + 0.1 + np.arange(10) / RATE_HZ, atol=1e-6)
    assert (timeline.n_lost, timeline.n_jumps) == (0, 1)
    # A marker of the same sender has jumped with it.
    assert timeline.to_local(10.1 + jump_s) == pytest.approx(after[0], abs=1e-6)


def test_a_jump_in_the_middle_of_a_chunk_is_found_there():
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    raw = np.concatenate([regular(10.0, 5), regular(5.0, 5)])
    times, gaps = place(timeline, raw, 10.1)
    assert gaps == (5,)
    assert np.all(np.diff(times) > 0)


def test_another_clock_at_the_start_is_taken_as_now():
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    times, gaps = place(timeline, regular(1.7e9), 10.0)
    assert gaps == ()
    np.testing.assert_allclose(times, 10.0 + (np.arange(10) - 9) / RATE_HZ, atol=1e-6)


def test_times_do_not_decrease_however_the_stamps_jitter():
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    rng = np.random.default_rng(0)
    raw = regular(10.0, 1000) + rng.uniform(-0.05, 0.05, 1000)
    times = np.concatenate([place(timeline, raw[i : i + 7], 20.0)[0] for i in range(0, 1000, 7)])
    assert np.all(np.diff(times) >= 0)
    assert np.abs(times - raw).max() < 0.11


def test_the_offset_follows_its_estimate_without_a_visible_step():
    timeline = Timeline(RATE_HZ, 0.25, 100.0)
    place(timeline, regular(10.0), 110.1)
    offsets = []
    for _ in range(20):
        timeline.steer(100.005, elapsed_s=1.0)
        offsets.append(timeline.offset_s)
    assert np.max(np.diff(offsets)) <= 5.1e-4
    assert offsets[-1] == pytest.approx(100.005, abs=3e-4)


def test_noise_of_the_estimate_moves_nothing():
    timeline = Timeline(RATE_HZ, 0.25, 100.0)
    for estimate_s in (100.0001, 99.9999, 100.00015):
        timeline.steer(estimate_s, 1.0)
    assert timeline.offset_s == 100.0


def test_an_estimate_that_steps_far_is_taken_at_once():
    timeline = Timeline(RATE_HZ, 0.25, 100.0)
    place(timeline, regular(10.0), 110.1)
    timeline.steer(90.0, 1.0)
    times, _ = place(timeline, regular(20.1), 110.2)
    np.testing.assert_allclose(times, regular(110.1), atol=1e-9)


def test_jitter_of_the_stamps_is_smoothed_anew_after_a_gap():
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    ideal = np.concatenate([regular(10.0, 2000), regular(60.0, 2000)])
    raw = ideal + np.random.default_rng(0).normal(0, 3e-3, 4000)
    times = np.concatenate([place(timeline, raw[i : i + 9], 90.0)[0] for i in range(0, 4000, 9)])
    assert timeline.n_gaps == 1
    for stretch in (slice(1000, 2000), slice(3000, 4000)):
        assert np.std((times - ideal)[stretch]) < 1e-3
