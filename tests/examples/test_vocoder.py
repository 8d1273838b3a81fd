import csv
import runpy
import wave
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bci_server.client import Lost
from devices.simulation.voice import N_BANDS, VOICE, acoustics, band_edges_hz, frames

FILE = Path(__file__).resolve().parents[2] / "examples" / "speech" / "vocoder.py"
RATE_HZ = 16_000


@pytest.fixture
def script():
    return runpy.run_path(str(FILE))


def voice(phoneme, pitch_hz, n=50):
    """Return n frames of one sound."""
    parameters = np.repeat(acoustics(phoneme)[:1], n, axis=0)
    parameters[:, -1] = pitch_hz
    return frames(parameters)


def sound_of(path):
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE_HZ, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def write_frames(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([VOICE, *rows.tolist()])


def power(sound):
    """Return the power at each Hz."""
    return np.abs(np.fft.rfft(sound * np.hanning(len(sound)), RATE_HZ)) ** 2


@pytest.mark.parametrize("phoneme", ["AA", "IY", "S", "SH", "Z"])
def test_a_sound_has_the_bands_of_its_frames(script, phoneme):
    rows = voice(phoneme, 110.0)
    heard = power(script["speak"](rows, VOICE, 50.0)[4000:12_000])
    edges = np.round(band_edges_hz()).astype(int)
    bands = [heard[low:high].mean() for low, high in zip(edges[:-2], edges[2:], strict=True)]
    meant = rows[20, :N_BANDS]
    loud = meant > meant.max() - 2.5
    assert np.corrcoef(np.log10(bands)[loud], meant[loud])[0, 1] > 0.85


@pytest.mark.parametrize("pitch_hz", [90.0, 125.0, 200.0])
def test_a_voiced_sound_has_its_pitch_without_a_seam(script, pitch_hz):
    sound = script["speak"](voice("AA", pitch_hz), VOICE, 50.0)[4000:12_000]
    alike = np.correlate(sound, sound, "full")[len(sound) - 1 :]
    lags = np.arange(len(alike))
    period = lags[60:250][alike[60:250].argmax()]
    assert RATE_HZ / period == pytest.approx(pitch_hz, rel=0.03)
    assert alike[period] > 0.85 * alike[0]


def test_silence_is_silent_and_a_frame_is_as_long_as_it_should_be(script, tmp_path):
    rows = np.concatenate((np.zeros((20, len(VOICE)), np.float32), voice("AA", 100.0, 30)))
    write_frames(tmp_path / "said.csv", rows)
    out = tmp_path / "said.wav"
    assert script["main"](["--frames", str(tmp_path / "said.csv"), str(out)]) == 0
    sound = sound_of(out)
    assert len(sound) == RATE_HZ
    assert np.abs(sound[: 20 * 320]).max() == 0
    assert 0.05 < np.abs(sound[22 * 320 :]).max() < 1.0


def test_what_a_session_says_is_written_and_what_was_lost_is_silence(script, tmp_path, capsys):
    rows = voice("AA", 100.0, 4).tolist()
    said = [SimpleNamespace(names=VOICE, values=row, dropped=0) for row in rows]
    said[2].dropped = 6
    asked = []

    class Client:
        async def subscribe(self, topic):
            asked.append(topic)
            yield said[0]
            yield Lost(("voice",), "restarted")
            for message in said[1:]:
                yield message

    @asynccontextmanager
    async def connect(url, token, session):
        asked.append((url, token, session))
        yield Client()

    script["listen"].__globals__["connect"] = connect
    out = tmp_path / "said.wav"
    assert script["main"](["ws://there", "token", "demo", str(out)]) == 0
    assert asked == [("ws://there", "token", "demo"), "voice"]
    assert "lost: restarted" in capsys.readouterr().err
    sound = sound_of(out)
    assert len(sound) == 10 * 320
    assert np.abs(sound[4 * 320 : 8 * 320]).max() == 0
    assert np.abs(sound[9 * 320 :]).max() > 0.01


def test_frames_that_are_no_voice_are_refused(script, tmp_path, capsys):
    path = tmp_path / "said.csv"
    path.write_text("vx,vy\n1,2\n")
    assert script["main"](["--frames", str(path), str(tmp_path / "a.wav")]) == 1
    assert "a voice needs mel-00 …, f0 and voicing; it has vx, vy" in capsys.readouterr().err
    path.write_text("vx,vy\n")
    assert script["main"](["--frames", str(path), str(tmp_path / "b.wav")]) == 1
    assert "has no frames" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        script["main"]([str(tmp_path / "c.wav")])
