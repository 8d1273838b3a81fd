"""What a stimulator may be asked for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci_server.safety.stimulation import Stimulation, Stimulus, Trains

LIMITS = Stimulation(("S1", "S2"), 80.0, 400.0, 300.0, 16.0, 800.0, 1.0)
SOFT = Stimulus("S1", 40.0, 200.0, 50.0, 0.5)  # 8 nC a phase, 26 phases: 208 nC


def test_what_is_within_all_limits_is_given():
    assert Trains(LIMITS).give(SOFT, 0.0) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"electrode": "S9"}, "'S9'"),
        ({"amplitude_ua": 81.0}, "amplitude_ua = 81"),
        ({"amplitude_ua": 0.0}, "amplitude_ua = 0"),
        ({"amplitude_ua": float("nan")}, "amplitude_ua = nan"),
        ({"amplitude_ua": -1.0}, "amplitude_ua = -1"),
        ({"pulse_width_us": 401.0}, "pulse_width_us = 401"),
        ({"rate_hz": 301.0}, "rate_hz = 301"),
        ({"duration_s": 1.5}, "duration_s = 1.5"),
        ({"duration_s": float("inf")}, "duration_s = inf"),
        ({"amplitude_ua": 80.0, "pulse_width_us": 300.0}, "charge of a phase in nC = 24"),
        ({"rate_hz": 300.0}, "nC would be given"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_with_both_values(changes, said):
    trains = Trains(LIMITS)
    refusal = trains.give(replace(SOFT, **changes), 0.0)
    assert said in refusal.cause
    assert refusal.fix
    assert trains.give(SOFT, 0.0) is None  # a refused one does not count


def test_charge_adds_up_over_electrodes_and_is_forgotten_after_a_second():
    trains = Trains(LIMITS)
    for _ in range(3):
        assert trains.give(SOFT, 0.0) is None  # each takes the place of the one before
    other = replace(SOFT, electrode="S2", duration_s=1.0)  # 408 nC
    assert trains.give(other, 0.0) is None
    assert trains.give(replace(other, electrode="S1"), 0.5) is not None
    assert trains.give(replace(other, electrode="S1"), 2.5) is None


def test_a_train_that_is_replaced_counts_as_far_as_it_went():
    trains = Trains(LIMITS)
    long = replace(SOFT, rate_hz=98.5, duration_s=1.0)  # 796 nC
    assert trains.give(long, 0.0) is None
    assert trains.give(long, 0.9) is not None  # one pulse too many in that second
    assert trains.give(replace(long, duration_s=0.05), 0.9) is None


def test_stop_ends_what_runs():
    trains = Trains(LIMITS)
    assert not trains.stop(0.0)
    trains.give(SOFT, 0.0)
    assert trains.stop(0.1)
    assert not trains.stop(0.2)


trains_of_pulses = st.lists(
    st.tuples(
        st.sampled_from(["S1", "S2"]),
        st.floats(0.1, 80.0),
        st.floats(1.0, 300.0),
        st.floats(0.01, 1.0),
        st.floats(0.0, 0.7),
    ),
    max_size=12,
)


@given(trains_of_pulses)
def test_no_second_ever_holds_more_charge_than_allowed(asked):
    trains, now_s, running, pulses = Trains(LIMITS), 0.0, {}, []

    def end(electrode, at_s):
        start_s, stimulus = running.pop(electrode)
        n = int(min(at_s - start_s, stimulus.duration_s) * stimulus.rate_hz) + 1
        pulses.extend((start_s + k / stimulus.rate_hz, stimulus.charge_nc) for k in range(n))

    for electrode, amplitude, rate, duration, pause in asked:
        now_s += pause
        stimulus = Stimulus(electrode, amplitude, 200.0, rate, duration)
        if trains.give(stimulus, now_s) is None:
            if electrode in running:
                end(electrode, now_s)
            running[electrode] = (now_s, stimulus)
    for electrode in list(running):
        end(electrode, now_s + 10.0)
    for at_s, _ in pulses:
        within = sum(charge for t, charge in pulses if at_s <= t < at_s + 1.0 - 1e-9)
        assert within <= LIMITS.max_charge_nc_s * (1 + 1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"electrodes": ()}, "electrodes"),
        ({"electrodes": ("a", "a")}, "electrodes"),
        ({"max_amplitude_ua": 0.0}, "max_amplitude_ua"),
        ({"max_charge_nc_s": float("inf")}, "max_charge_nc_s"),
    ],
)
def test_a_senseless_limit_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        replace(LIMITS, **changes)
