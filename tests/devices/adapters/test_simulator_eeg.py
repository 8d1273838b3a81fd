import numpy as np
import pytest

from devices.adapters.simulator_eeg import SimulatorEeg
from devices.clock import ManualClock
from devices.device import EndOfStream
from devices.signal import Marker

INF = float("inf")


def run_through(device, clock=None):
    with device.open(clock or ManualClock()) as stream:
        times, values = [], []
        while True:
            try:
                chunk = stream.read(1.0)
            except EndOfStream:
                break
            times.append(chunk.times)
            values.append(chunk.values.copy())
        return np.concatenate(times), np.concatenate(values), stream.take_markers(), stream


def power_uv2(values, rate_hz, low_hz, high_hz):
    spectrum = np.abs(np.fft.rfft(values * np.hanning(len(values))[:, None], axis=0)) ** 2
    hz = np.fft.rfftfreq(len(values), 1 / rate_hz)
    return spectrum[(hz >= low_hz) & (hz <= high_hz)].sum(axis=0) / len(values) ** 2


def trials(values, markers, label, rate_hz, start_s, stop_s):
    first = [round(m.time_s * rate_hz) - 1 for m in markers if m.label == label]
    cuts = [(a + round(start_s * rate_hz), a + round(stop_s * rate_hz)) for a in first]
    return [values[a:b] for a, b in cuts if a >= 0 and b <= len(values)]


@pytest.mark.parametrize("paradigm", ["imagery", "ssvep", "p300", "rest"])
def test_same_seed_gives_same_samples_however_they_are_cut_and_paced(paradigm):
    def run(chunk_s, speed):
        return run_through(
            SimulatorEeg(
                n_channels=8, paradigm=paradigm, chunk_s=chunk_s, speed=speed, duration_s=12, seed=3
            )
        )

    _, expected, expected_markers, _ = run(0.004, INF)
    for chunk_s, speed in [(0.37, INF), (1.0, 1.0), (0.02, 7.3)]:
        times, values, markers, _ = run(chunk_s, speed)
        assert np.array_equal(values, expected)
        assert len(times) == len(values) == 3000
        pace = speed if speed != INF else 1.0
        assert [m.label for m in markers] == [m.label for m in expected_markers]
        seconds = [m.time_s * pace for m in markers]
        assert seconds == pytest.approx([m.time_s for m in expected_markers])


def test_another_seed_gives_other_samples():
    _, one, *_ = run_through(SimulatorEeg(n_channels=8, speed=INF, duration_s=1, seed=1))
    _, two, *_ = run_through(SimulatorEeg(n_channels=8, speed=INF, duration_s=1, seed=2))
    assert not np.array_equal(one, two)


def test_leaving_an_artifact_out_changes_nothing_else():
    def run(**fields):
        device = SimulatorEeg(n_channels=8, speed=INF, duration_s=10, mains_hz=0, **fields)
        return run_through(device)[1]

    without = run(blinks_per_minute=0)
    with_blinks = run(blinks_per_minute=30)
    apart = np.abs(with_blinks - without).max(axis=0)
    assert apart[0] > 5  # Fz sees blinks
    assert apart[6] < 0.5  # Oz does not


def test_paces_by_the_clock_and_stamps_the_end_of_each_period():
    clock = ManualClock(100.0)
    device = SimulatorEeg(n_channels=8, rate_hz=250, chunk_s=0.1)
    with device.open(clock) as stream:
        assert stream.read(0.05) is None
        assert clock.now() == pytest.approx(100.05)
        chunk = stream.read(1.0)
        assert clock.now() == pytest.approx(100.1)
        assert chunk.times[0] == pytest.approx(100.004)
        assert chunk.times[-1] == pytest.approx(100.1)
        assert len(stream.read(1.0)) == 25


def test_a_faster_replay_is_stamped_by_the_clock():
    clock = ManualClock(100.0)
    with SimulatorEeg(n_channels=8, rate_hz=250, chunk_s=0.1, speed=10.0).open(clock) as stream:
        chunk = stream.read(1.0)
        assert clock.now() == pytest.approx(100.01)
        assert chunk.times[-1] == pytest.approx(100.01)
        assert np.diff(chunk.times) == pytest.approx(0.0004)


def test_schedule_is_followed_and_truth_says_so():
    device = SimulatorEeg(
        n_channels=8,
        schedule=("feet", "left"),
        classes=("left", "feet"),
        trial_s=1,
        pause_s=1,
        pause_jitter_s=0,
        speed=INF,
        duration_s=6,
    )
    _, _, markers, stream = run_through(device)
    labels = ["feet", "rest", "left", "rest", "feet"]
    assert [m.label for m in markers] == labels
    assert [m.time_s for m in markers] == pytest.approx([1.004, 2.004, 3.004, 4.004, 5.004])
    truth = stream.take_truth()
    assert stream.truth_signal.channels == ("left", "feet")
    assert truth.values.shape == (1500, 2)
    assert truth.values[250:500, 1].all()
    assert not truth.values[250:500, 0].any()
    assert truth.values[:250].sum() == 0
    assert stream.take_truth() is None


def test_random_trials_are_balanced():
    device = SimulatorEeg(n_channels=8, trial_s=0.5, pause_s=0.5, speed=INF, duration_s=60)
    _, _, markers, _ = run_through(device)
    counts = [sum(m.label == name for m in markers) for name in ("left", "right")]
    assert abs(counts[0] - counts[1]) <= 2
    assert sum(counts) >= 30


def test_imagery_weakens_mu_over_the_other_hemisphere():
    device = SimulatorEeg(n_channels=8, speed=INF, duration_s=400, chunk_s=1.0)
    _, values, markers, stream = run_through(device)
    c3, c4 = stream.signal.channels.index("C3"), stream.signal.channels.index("C4")
    ratio = {}
    for label in ("left", "right"):
        powers = [power_uv2(x, 250, 9, 13) for x in trials(values, markers, label, 250, 0.75, 3.75)]
        mean = np.mean(powers, axis=0)
        ratio[label] = mean[c3] / mean[c4]
    assert ratio["left"] > 1.4
    assert ratio["right"] < 1 / 1.4


def test_a_participant_of_no_strength_does_not_react():
    fields = {"n_channels": 8, "strength": 0.0, "speed": INF, "duration_s": 30}
    _, left, *_ = run_through(SimulatorEeg(schedule=("left",), **fields))
    _, right, *_ = run_through(SimulatorEeg(schedule=("right",), **fields))
    start, end = 700, 1000
    assert np.array_equal(left[:start], right[:start])
    assert np.allclose(left[:end], right[:end], atol=1e-3)


def test_eyes_closed_bring_alpha():
    device = SimulatorEeg(n_channels=8, paradigm="rest", speed=INF, duration_s=200, chunk_s=1.0)
    _, values, markers, _ = run_through(device)
    closed = trials(values, markers, "eyes_closed", 250, 1, 3)
    opened = trials(values, markers, "rest", 250, 0.5, 2)
    alpha = [
        np.mean([power_uv2(x, 250, 8, 12)[6] * 250 / len(x) for x in e]) for e in (closed, opened)
    ]
    assert alpha[0] > 3 * alpha[1]


def test_flicker_appears_at_its_frequency_over_the_occiput():
    device = SimulatorEeg(
        n_channels=8, paradigm="ssvep", frequencies_hz=(8.0, 15.0), strength=2, speed=INF,
        duration_s=120, chunk_s=1.0,
    )  # fmt: skip
    _, values, markers, stream = run_through(device)
    assert stream.truth_signal.channels == ("8Hz", "15Hz")
    for label, own, other in [("8Hz", 8, 15), ("15Hz", 15, 8)]:
        x = np.mean(trials(values, markers, label, 250, 0.5, 3.5), axis=0)
        powers = [power_uv2(x, 250, hz - 0.4, hz + 0.4)[6] for hz in (own, other)]
        assert powers[0] > 3 * powers[1]


def test_targets_evoke_a_parietal_positivity_at_300_ms():
    device = SimulatorEeg(n_channels=8, paradigm="p300", speed=INF, duration_s=300, chunk_s=1.0)
    _, values, markers, stream = run_through(device)
    n_target = sum(m.label == "target" for m in markers)
    n_other = sum(m.label == "nontarget" for m in markers)
    assert n_other == pytest.approx(5 * n_target, rel=0.1)
    assert sum(m.label.startswith("flash-") for m in markers) == n_target + n_other
    evoked = [
        np.mean(trials(values, markers, k, 250, 0, 0.7), axis=0) for k in ("target", "nontarget")
    ]
    pz = (evoked[0] - evoked[1])[:, stream.signal.channels.index("Pz")]
    assert 0.27 < pz.argmax() / 250 < 0.38
    assert 3 < pz.max() < 9


def test_mains_can_be_left_out():
    def hum(mains_hz):
        device = SimulatorEeg(n_channels=8, mains_hz=mains_hz, speed=INF, duration_s=10)
        return power_uv2(run_through(device)[1], 250, 59.8, 60.2)

    assert (hum(60) > 2 * hum(0)).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_channels": 4}, "8 to 64, not 4"),
        ({"rate_hz": 50.0}, "100 to 50000, not 50"),
        ({"paradigm": "sleep"}, "one of imagery, ssvep, p300, rest"),
        ({"classes": ("left", "tail")}, "cannot imagine tail; classes are left"),
        ({"classes": ("left", "rest")}, "none may be empty or 'rest'"),
        ({"schedule": ("up",)}, "asks for up; the classes are left, right"),
        ({"speed": 0.0}, "speed must be positive, not 0.0"),
        ({"chunk_s": INF}, "chunk_s must be finite"),
        ({"intent_stream": "x", "speed": 2.0}, "runs at speed 1"),
        ({"mains_hz": 130.0}, "below half of rate_hz"),
        ({"blinks_per_minute": -1.0}, "cannot be negative"),
        ({"paradigm": "ssvep", "frequencies_hz": (200.0,)}, "between 0 and 125"),
        ({"paradigm": "ssvep", "classes": ("a",)}, "ssvep needs 3 classes, not 1"),
        ({"paradigm": "p300", "flash_period_s": 0.0}, "flash_period_s must be positive"),
        ({"trial_s": 0.0}, "must be positive"),
        ({"strength": -1.0}, "strength must be 0 to 10"),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields, message):
    with pytest.raises(ValueError, match=message):
        SimulatorEeg(**fields)


def test_markers_wait_for_their_samples():
    device = SimulatorEeg(
        n_channels=8, pause_s=1, pause_jitter_s=0, schedule=("left",), chunk_s=0.1
    )
    clock = ManualClock()
    with device.open(clock) as stream:
        for _ in range(10):
            stream.read(1.0)
        assert stream.take_markers() == ()
        stream.read(1.0)
        assert stream.take_markers() == (Marker(1.004, "left"),)
