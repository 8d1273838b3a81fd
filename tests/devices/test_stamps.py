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
    timeline = Timeline(RATE_HZ, 0.25, offset_s=0.0)
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
    assert after[0] > before[-1]
    np.testing.assert_allclose(after, regular(10.11), atol=1e-6)  # the newest is taken as new
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
    chunks = [slice(i, i + 9) for i in range(0, 4000, 9)]
    times = np.concatenate([place(timeline, raw[c], ideal[c][-1] + 0.01)[0] for c in chunks])
    assert timeline.n_gaps == 1
    for stretch in (slice(1000, 2000), slice(3000, 4000)):
        assert np.std((times - ideal)[stretch]) < 1e-3


def live(timeline, chunks, arrival_s=10.1, period_s=0.1):
    """Place one chunk after the other, each when it is due; return how old the newest seemed."""
    ages = []
    for chunk in chunks:
        times, _ = place(timeline, chunk, arrival_s)
        ages.append(arrival_s - times[-1])
        arrival_s += period_s
    return np.array(ages)


def going_on(n_chunks, offset_s=0.0, start_s=10.0):
    return [regular(start_s + 0.1 * k + offset_s) for k in range(n_chunks)]


@pytest.mark.parametrize("jump_s", [60.0, -60.0, 0.7, -0.7])
def test_jumps_again_and_again_lead_neither_into_the_future_nor_into_the_past(jump_s):
    timeline = Timeline(RATE_HZ, 0.03, 0.0)
    chunks = going_on(200)
    for k, chunk in enumerate(chunks[10:110]):
        chunk += jump_s if k % 2 else 0.0
    ages = live(timeline, chunks)
    assert timeline.n_jumps >= 90
    assert np.all(ages > -0.02)
    assert np.all(ages < 0.05)


@pytest.mark.parametrize("jump_s", [0.12, -0.12, 0.2, -0.2])
def test_a_clock_that_jumps_less_than_a_gap_is_found_out_by_the_age_of_its_samples(jump_s):
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    chunks = going_on(100)
    for chunk in chunks[33:]:
        chunk += jump_s
    ages = live(timeline, chunks)
    assert (timeline.n_jumps, timeline.n_lost) == (1, 0)
    assert ages[40] == pytest.approx(0.01 - jump_s)
    np.testing.assert_allclose(ages[60:], 0.01, atol=0.02)


def test_samples_that_are_late_are_old_for_as_long_as_they_are():
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    ages = live(timeline, going_on(30))
    late = live(timeline, going_on(100, start_s=13.0), arrival_s=13.4)
    assert ages[-1] == pytest.approx(0.01)
    np.testing.assert_allclose(late, 0.31)
    assert timeline.n_jumps == 0


@pytest.mark.parametrize("late_s", [0.06, 0.1, 0.3])
def test_samples_of_a_sender_that_is_faster_than_it_says_are_late_too(late_s):
    fast_hz = 1.02 * RATE_HZ
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    ages, arrival_s = [], 10.1
    for k in range(200):
        raw = 10.0 + (10 * k + np.arange(10)) / fast_hz
        arrival_s = raw[-1] + 0.01 + (late_s if k >= 100 else 0.0)
        times, _ = place(timeline, raw, arrival_s)
        ages.append(arrival_s - times[-1])
    assert timeline.n_jumps == 0
    np.testing.assert_allclose(ages[120:], late_s + 0.01, atol=0.02)


@pytest.mark.parametrize("at", range(30, 40))
def test_a_small_jump_is_found_out_wherever_it_falls(at):
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    chunks = going_on(80)
    for chunk in chunks[at:]:
        chunk -= 0.2
    ages = live(timeline, chunks)
    assert timeline.n_jumps == 1
    np.testing.assert_allclose(ages[60:], 0.01, atol=0.02)


def test_a_jump_makes_stamps_unsound_until_none_has_come_for_half_a_second():
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    live(timeline, going_on(30))
    assert timeline.is_sound(13.0)
    for k in range(3):
        live(timeline, going_on(1, 60.0 * (k + 1), 13.0 + 0.3 * k), arrival_s=13.1 + 0.3 * k)
        assert not timeline.is_sound(13.1 + 0.3 * k)
    assert not timeline.is_sound(14.1)
    assert timeline.is_sound(14.21)


def test_stamps_that_are_no_numbers_follow_those_before_and_are_unsound():
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    live(timeline, going_on(30))
    broken = regular(13.0)
    broken[3:] = [np.nan, np.inf, np.nan, -np.inf, np.nan, np.nan, np.nan]
    times, gaps = place(timeline, broken, 13.1)
    np.testing.assert_allclose(times, regular(13.0), atol=1e-9)
    assert gaps == ()
    assert not timeline.is_sound(13.5)
    ages = live(timeline, going_on(10, start_s=13.1), arrival_s=13.2)
    np.testing.assert_allclose(ages, 0.01, atol=1e-9)
    assert timeline.is_sound(14.1)


def test_a_stream_that_begins_with_no_number_goes_on():
    timeline = Timeline(RATE_HZ, 0.25, 0.0)
    place(timeline, [np.nan] * 10, 10.1)
    ages = live(timeline, going_on(20, start_s=10.1), arrival_s=10.2)
    np.testing.assert_allclose(ages, 0.01, atol=0.02)
