import math
from dataclasses import replace

import numpy as np
import pytest

from decoders.features.bandpass import Bandpass
from decoders.features.log_power import LogPower
from decoders.gathering import Truth, gather, open_ending
from decoders.pipeline import Pipeline
from decoders.stage import Chain, Mismatch
from devices.adapters.recording import Recording
from devices.adapters.simulator_eeg import SimulatorEeg
from devices.adapters.simulator_reach import SimulatorReach
from devices.signal import Signal
from tests.decoders.made import Made, cued, followed

PIPELINE = Pipeline(0.1, stages=Chain((LogPower(0.3),)))


def test_rows_are_what_the_steps_put_out_and_know_where_they_end():
    made = cued(2)
    gathered = gather(made, PIPELINE)
    assert gathered.features == Signal(10.0, ("C3", "Cz", "C4"), "ln(uV^2)")
    assert gathered.samples.tolist() == list(range(29, 800, 10))
    assert gathered.times == pytest.approx(gathered.samples / 100.0)
    x = made.values.astype(np.float32).astype(float)
    expected = [np.log((x[end - 29 : end + 1] ** 2).mean(axis=0)) for end in gathered.samples]
    assert gathered.rows == pytest.approx(np.array(expected))


def test_events_are_bound_and_markers_remembered():
    gathered = gather(cued(3), PIPELINE)
    assert [(e.sample, e.label) for e in gathered.events] == [(100, "L"), (500, "R"), (900, "L")]
    assert gathered.markers == ("L", "R", "L")


def test_a_gap_begins_a_new_stretch_which_starts_cold():
    gathered = gather(replace(cued(2), gaps=(405,)), PIPELINE)
    assert gathered.stretches.tolist() == [0] * 38 + [1] * 37
    assert gathered.samples[38] == 405 + 29
    assert gathered.event_stretches == (0, 1)


def test_truth_comes_along():
    made = followed(200)
    gathered = gather(made, Pipeline(0.05))
    assert gathered.truth is not None
    assert (gathered.truth.values == made.truth).all()


def test_truth_is_the_newest_that_is_not_old():
    truth = Truth(Signal(10.0, ("x",), "m"), np.array([0.0, 0.1, 0.2]), np.arange(3.0)[:, None])
    values, fresh = truth.at(np.array([-0.05, 0.0, 0.0995, 0.15, 0.34, 0.36]), 0.001)
    assert fresh.tolist() == [False, True, True, True, True, False]
    assert values[fresh, 0].tolist() == [0.0, 1.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (SimulatorEeg(speed=math.inf), "never ends; give it a duration_s"),
        (SimulatorReach(speed=math.inf), "never ends; give it a duration_s"),
        (Recording("x.edf", loop=True), "loops never ends; set loop = false"),
    ],
)
def test_what_never_ends_is_refused(device, message):
    with pytest.raises(Mismatch, match=message):
        open_ending(device)


def test_a_simulator_that_ends_is_gathered_like_a_recording():
    device = SimulatorEeg(speed=math.inf, duration_s=20.0)
    gathered = gather(device, Pipeline(0.1, stages=Chain((Bandpass(8, 30), LogPower()))))
    assert len(gathered.rows) == 200
    assert len(gathered.markers) > 0


def test_a_recording_shorter_than_a_block_gives_no_row():
    assert gather(Made(np.zeros((5, 3))), PIPELINE).rows.shape == (0, 3)
