"""What a decoder of speech sees, made from voltages as the example session makes it."""

from pathlib import Path

import numpy as np
import pytest

from bci_server.config import load_session
from decoders.features.bandpass import Bandpass
from decoders.features.log_power import LogPower
from decoders.features.smooth import Smooth
from decoders.stage import Chain
from devices.adapters.simulator_speech import SimulatorSpeech
from devices.signal import Chunk, Signal
from devices.simulation.voice import VOICE

SESSIONS = Path(__file__).resolve().parents[2] / "examples" / "sessions"


def test_crossings_and_power_of_the_spike_band_follow_what_is_said():
    stages = load_session(SESSIONS / "speech_broadband.toml").pipeline.stages
    device = SimulatorSpeech(
        n_electrodes=64, output="broadband", rate_hz=20_000, wpm=120, speed=float("inf")
    )
    rng = np.random.default_rng(0)
    rows, truth = [], []
    with device.open() as stream:
        step = stages.start(stream.signal, 400)
        for _ in range(1150):
            chunk = stream.read(1.0)
            # Noise that the electrodes of an array share, larger than their spikes.
            hum = rng.normal(0, 100, (400, 1)).astype(np.float32)
            out = step(Chunk(chunk.times, chunk.values + hum))
            told = stream.take_truth().values[-1]
            if len(out):
                rows.append(out.values[0].copy())
                truth.append(told)
    assert step.signal.n_channels == 128
    assert step.signal.rate_hz == 50
    assert len(rows) == 1150 - 250 - 250  # what the noise is estimated on, and the warm-up
    rows, truth = np.array(rows), np.array(truth)
    lagged = np.hstack([np.roll(rows, k, axis=0) for k in range(3)])
    n = 450
    centred = lagged - lagged[:n].mean(axis=0)
    voicing = truth[:, VOICE.index("voicing")] - truth[:n, VOICE.index("voicing")].mean()
    gram = centred[:n] @ centred[:n].T + 300 * np.eye(n)
    guess = centred[n:] @ (centred[:n].T @ np.linalg.solve(gram, voicing[:n]))
    assert np.corrcoef(guess, voicing[n:])[0, 1] > 0.4


def test_the_high_gamma_envelope_is_late_by_what_it_says():
    rate_hz, block = 1000.0, 20
    rng = np.random.default_rng(1)
    times = np.arange(200_000) / rate_hz
    loud = 1 + 0.8 * np.sin(2 * np.pi * 0.5 * times)
    tone = np.convolve(rng.normal(0, 1, len(times)), np.hanning(9), "same")
    values = (tone * loud)[:, None].astype(np.float32)

    def envelope(smooth_s):
        chain = Chain((Bandpass(70, 150), LogPower(), Smooth(smooth_s)))
        step = chain.start(Signal(rate_hz, ("ecog1",), "uV"), block)
        return np.array(
            [
                step(Chunk(times[i : i + block], values[i : i + block])).values[0, 0]
                for i in range(0, len(values), block)
            ]
        )

    def late_s(smooth_s):
        meant = np.log(loud.reshape(-1, block).mean(axis=1))
        made = envelope(smooth_s)
        lags = range(15)
        r = [np.corrcoef(made[100 + k :], meant[100 : len(meant) - k])[0, 1] for k in lags]
        assert max(r) > 0.8
        return lags[int(np.argmax(r))] * block / rate_hz

    quick, slow = late_s(0.04), late_s(0.12)
    assert quick == pytest.approx(0.04, abs=0.021)
    assert slow - quick == pytest.approx(0.08, abs=0.021)
