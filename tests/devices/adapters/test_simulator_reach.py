import numpy as np
import pytest

from devices.adapters.simulator_reach import SimulatorReach
from devices.clock import ManualClock
from devices.device import EndOfStream

INF = float("inf")


def run_through(device):
    with device.open(ManualClock()) as stream:
        values = []
        while True:
            try:
                values.append(stream.read(1.0).values.copy())
            except EndOfStream:
                break
        return np.concatenate(values), stream.take_markers(), stream.take_truth(), stream


@pytest.mark.parametrize(
    ("output", "duration_s", "chunks_s"),
    [("counts", 20.0, (0.02, 0.5, 3.7)), ("broadband", 0.5, (0.0001, 0.02, 0.033))],
)
def test_same_seed_gives_same_samples_however_they_are_cut_and_paced(output, duration_s, chunks_s):
    def run(chunk_s, speed):
        fields = {"n_units": 5, "output": output, "duration_s": duration_s, "seed": 4}
        return run_through(SimulatorReach(chunk_s=chunk_s, speed=speed, **fields))

    expected, expected_markers, expected_truth, _ = run(chunks_s[0], INF)
    for chunk_s, speed in [(chunks_s[1], 1.0), (chunks_s[2], INF)]:
        values, markers, truth, _ = run(chunk_s, speed)
        assert np.array_equal(values, expected)
        assert markers == expected_markers
        assert np.array_equal(truth.values, expected_truth.values)


def test_counts_are_whole_and_as_frequent_as_cortex_fires():
    values, _, truth, stream = run_through(SimulatorReach(speed=INF, duration_s=60))
    assert stream.signal.unit == "count"
    assert stream.signal.rate_hz == 50
    assert values.shape == (3000, 96)
    assert (values == np.round(values)).all()
    assert 5 < values.mean() * 50 < 20
    assert truth.values.shape == (3000, 2)
    assert stream.truth_signal.unit == "m/s"


def test_counts_scatter_as_poisson_counts_do():
    device = SimulatorReach(speed=INF, duration_s=200, n_units=50)
    values, _, truth, _ = run_through(device)
    still = values[np.abs(truth.values).sum(axis=1) == 0]
    fano = still.var(axis=0) / still.mean(axis=0)
    assert np.abs(np.median(fano) - 1) < 0.05


def test_velocity_can_be_read_out_of_the_counts():
    device = SimulatorReach(speed=INF, duration_s=300, task="random_target")
    values, _, truth, _ = run_through(device)
    lags = np.hstack([np.roll(values, k, axis=0) for k in range(10)])[10:]
    lags = np.column_stack((lags, np.ones(len(lags))))
    target = truth.values[10:]
    n = 12_000
    gram = lags[:n].T @ lags[:n] + 100 * np.eye(lags.shape[1])
    error = target[n:] - lags[n:] @ np.linalg.solve(gram, lags[:n].T @ target[:n])
    r2 = 1 - error.var(axis=0) / target[n:].var(axis=0)
    assert (r2 > 0.65).all()
    assert (r2 < 0.97).all()


def test_reaches_go_out_and_come_back():
    device = SimulatorReach(speed=INF, duration_s=120, radius_m=0.08)
    _, markers, truth, _ = run_through(device)
    labels = [m.label for m in markers]
    assert {f"target-{k}" for k in range(8)} <= set(labels)
    assert set(labels[1::2]) == {"reach"}
    position = np.cumsum(truth.values.astype(np.float64), axis=0) / 50
    starts = [round(m.time_s * 50) - 1 for m in markers if m.label.startswith("target-")]
    distance = np.linalg.norm(position[starts], axis=1)
    assert distance[0::2] == pytest.approx(0.0, abs=1e-3)
    assert distance[1::2] == pytest.approx(0.08, abs=1e-3)


def test_broadband_has_spikes_of_its_units_and_none_too_soon():
    device = SimulatorReach(n_units=8, output="broadband", speed=INF, duration_s=10, chunk_s=0.5)
    values, _, truth, stream = run_through(device)
    assert stream.signal.unit == "uV"
    assert stream.signal.rate_hz == 30_000
    assert truth.values.shape == (500, 2)
    smooth = np.apply_along_axis(lambda x: np.convolve(x, np.ones(60) / 60, "same"), 0, values)
    high = values - smooth
    noise_uv = np.median(np.abs(high), axis=0) / 0.6745
    assert ((noise_uv > 5) & (noise_uv < 12)).all()
    best = high.min(axis=0).argmin()
    below = high[:, best] < 0.6 * high[:, best].min()
    onsets = np.flatnonzero(below[1:] & ~below[:-1])
    # Two crossings of one trough are noise; what remains keeps the refractory time.
    onsets = onsets[np.insert(np.diff(onsets) > 15, 0, True)]
    assert len(onsets) > 10
    assert np.diff(onsets).min() >= 0.0018 * 30_000


def test_broadband_spikes_follow_the_tuning_of_the_counts():
    fields = {"n_units": 6, "speed": INF, "duration_s": 30.0, "chunk_s": 0.02, "seed": 5}
    counts, _, truth, _ = run_through(SimulatorReach(**fields))
    stream = SimulatorReach(output="broadband", rate_hz=20_000, **fields).open()
    crossings = []
    for _ in range(len(counts)):
        values = stream.read(1.0).values
        steep = values[8:] - values[:-8] > 55
        crossings.append((steep[1:] & ~steep[:-1]).sum(axis=0))
    assert np.array_equal(stream.take_truth().values, truth.values)
    crossings = np.array(crossings)
    seen = crossings.mean(axis=0) > 0.1
    assert seen.any()
    block = np.add.reduceat(crossings, range(0, 1500, 25))[:, seen]
    meant = np.add.reduceat(counts, range(0, 1500, 25))[:, seen]
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(block.T, meant.T, strict=True)]
    assert max(r) > 0.2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_units": 0}, "1 to 10000, not 0"),
        ({"output": "spikes"}, "must be counts or broadband"),
        ({"task": "dance"}, "must be centre_out or random_target"),
        ({"output": "broadband", "rate_hz": 1000.0}, "20000 to 30000 and a multiple of 50"),
        ({"radius_m": 0.0}, "radius_m must be above 0"),
        ({"intent_stream": "x", "speed": 2.0}, "runs at speed 1, not 2"),
        ({"duration_s": -1.0}, "duration_s must be positive"),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields, message):
    with pytest.raises(ValueError, match=message):
        SimulatorReach(**fields)
