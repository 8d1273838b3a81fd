import numpy as np
import pytest

from decoders.speech.sentences import Sentences
from devices.adapters.simulator_speech import SimulatorSpeech
from devices.clock import ManualClock
from devices.device import DeviceNotFound, DeviceRefused, EndOfStream
from devices.signal import Event
from devices.simulation.voice import VOICE
from devices.speech.everyday import sentences_of

INF = float("inf")


def run_through(**fields):
    device = SimulatorSpeech(**({"speed": INF, "chunk_s": 0.5} | fields))
    with device.open(ManualClock()) as stream:
        values = []
        while True:
            try:
                values.append(stream.read(1.0).values.copy())
            except EndOfStream:
                break
        truth = stream.take_truth()
        return np.concatenate(values), stream.take_markers(), truth.values, stream.signal


@pytest.mark.parametrize(
    ("output", "duration_s", "chunks_s"),
    [("counts", 20.0, (0.02, 0.5, 3.7)), ("broadband", 0.5, (0.0001, 0.02, 0.033))],
)
def test_same_seed_gives_same_samples_however_they_are_cut_and_paced(output, duration_s, chunks_s):
    def run(chunk_s, speed):
        fields = {"n_electrodes": 5, "output": output, "duration_s": duration_s, "seed": 4}
        return run_through(chunk_s=chunk_s, speed=speed, **fields)

    expected, expected_markers, expected_truth, _ = run(chunks_s[0], INF)
    for chunk_s, speed in [(chunks_s[1], 1.0), (chunks_s[2], INF)]:
        values, markers, truth, _ = run(chunk_s, speed)
        assert np.array_equal(values, expected)
        assert [m.label for m in markers] == [m.label for m in expected_markers]
        assert np.array_equal(truth, expected_truth)


def test_the_markers_are_sentences_as_the_decoders_read_them():
    _, markers, truth, signal = run_through(duration_s=120, n_electrodes=2)
    events = [Event(round(m.time_s * 50) - 1, m.label) for m in markers]
    sentences = Sentences().of(events, signal.rate_hz)
    assert len(sentences) > 10
    assert {s.text for s in sentences} <= set(sentences_of())
    voicing = truth[:, VOICE.index("voicing")]
    assert all(voicing[s.first : s.last].max() > 0.9 for s in sentences)


def test_counts_and_features_are_as_arrays_give_them():
    counts, _, _, signal = run_through(duration_s=60)
    assert (signal.rate_hz, signal.unit) == (50, "count")
    assert signal.channels[0] == "tx-000"
    assert counts.shape == (3000, 256)
    assert (counts == np.round(counts)).all()
    assert 15 < counts.mean() * 50 < 40
    features, _, _, signal = run_through(duration_s=60, output="features")
    assert signal.channels[255:257] == ("tx-255", "sbp-000")
    assert features.shape == (3000, 512)
    power = features[:, 256:]
    assert power.min() > 0
    r = [np.corrcoef(features[:, k], power[:, k])[0, 1] for k in range(256)]
    assert 0.3 < np.median(r) < 0.95


def test_the_voice_can_be_read_out_of_counts_and_not_out_of_noise():
    def read_out(mode):
        counts, _, truth, _ = run_through(duration_s=240, mode=mode)
        lags = np.hstack([np.roll(counts, k, axis=0) for k in range(3)] + [np.ones((12_000, 1))])
        gram = lags[:9000].T @ lags[:9000] + 200 * np.eye(lags.shape[1])
        guess = lags[9000:] @ np.linalg.solve(gram, lags[:9000].T @ truth[:9000])
        at = [VOICE.index(name) for name in ("mel-02", "mel-07", "mel-18", "f0", "voicing")]
        return np.array([np.corrcoef(guess[:, k], truth[9000:, k])[0, 1] for k in at])

    assert (read_out("sentences") > [0.8, 0.8, 0.4, 0.8, 0.8]).all()
    assert (np.abs(read_out("noise")) < 0.15).all()


def test_counts_scatter_a_little_more_than_poisson_counts_do():
    counts, markers, _, _ = run_through(duration_s=300, mode="silence")
    assert markers == ()
    fano = counts.var(axis=0) / counts.mean(axis=0)
    assert 1.0 < np.median(fano) < 1.1
    slow = counts.reshape(30, 500, 256).sum(axis=1)
    assert np.median(slow.var(axis=0) / slow.mean(axis=0)) > 1.15


def test_days_change_the_electrodes_and_the_same_day_comes_again():
    def means(day):
        counts, *_ = run_through(duration_s=30, day=day)
        return counts.mean(axis=0)

    first, later = means(0), means(20)
    np.testing.assert_array_equal(later, means(20))
    assert np.corrcoef(first, later)[0, 1] < 0.95
    assert (later == 0).any()


def test_sentences_of_a_file_are_said_as_listed(tmp_path):
    text = tmp_path / "said.txt"
    text.write_text("Yes\n\n  No, 2 of them \n")
    _, markers, _, _ = run_through(duration_s=20, n_electrodes=1, text=str(text), order="listed")
    labels = [m.label for m in markers if m.label != "said"]
    assert labels[:3] == ["say:Yes", "say:No, 2 of them", "say:Yes"]


def test_a_text_that_cannot_be_said_is_refused_before_it_starts(tmp_path):
    text = tmp_path / "said.txt"
    with pytest.raises(DeviceNotFound, match=r"said\.txt' cannot be read: No such file"):
        SimulatorSpeech(text=str(text)).open()
    text.write_text("\n")
    with pytest.raises(DeviceRefused, match="has no sentences"):
        SimulatorSpeech(text=str(text)).open()
    text.write_text("Yes\nfive €\n")
    with pytest.raises(DeviceRefused, match="'€' in 'five €' cannot be said"):
        SimulatorSpeech(text=str(text)).open()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_electrodes": 0}, "1 to 10000, not 0"),
        ({"output": "spikes"}, "output 'spikes': it must be one of counts, features, broadband"),
        ({"order": "any"}, "must be one of random, listed"),
        ({"mode": "song"}, "must be one of sentences, silence, noise"),
        ({"output": "broadband", "rate_hz": 1000.0}, "20000 to 30000 and a multiple of 50"),
        ({"wpm": 5.0}, "wpm must be 10 to 300 words a minute, not 5"),
        ({"silence_s": -1.0}, "silence_s must be 0 to 3600"),
        ({"day": -1}, "day must be 0 to 3650"),
        ({"duration_s": -1.0}, "duration_s must be positive"),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields, message):
    with pytest.raises(ValueError, match=message):
        SimulatorSpeech(**fields)
