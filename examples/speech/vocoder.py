"""Speak what a session's decoder of voice says, into a WAV file of 16 kHz.

    python examples/speech/vocoder.py URL TOKEN SESSION OUT.wav          # until Ctrl-C
    python examples/speech/vocoder.py --frames FRAMES.csv OUT.wav

It takes frames of ``mel-00`` … (the logarithm to the base 10 of 1 + the power in mel bands from 100
to 8,000 Hz), ``f0`` in Hz and ``voicing`` from 0 to 1: what the truth of simulator_speech is, and
what a decoder fitted to it with ``mode = "voice"`` says. CSV files name these in their first row.
Pulses at the pitch and noise, mixed by how voiced a frame is, are shaped to its bands: a vocoder of
the kind of Dudley (1939), to be heard, not to sound like anybody.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bci_server.client import ClientError, Lost, connect

SAMPLE_HZ = 16_000
LOWEST_HZ, HIGHEST_HZ = 100.0, 8000.0
LOUDEST = 7.5
"""A band of this logarithm sounds as loud as the file can be."""


class Vocoder:
    """Makes sound of frames, one after the other; it lags by the length of a frame.

    Parameters
    ----------
    names
        Of a frame's values: ``mel-00`` and following, ``f0``, ``voicing``; others are left aside.
    rate_hz
        Frames a second.

    Raises
    ------
    ValueError
        A name is missing.
    """

    def __init__(self, names: Sequence[str], rate_hz: float) -> None:
        places = {name: k for k, name in enumerate(names)}
        self._bands = [places[name] for name in sorted(n for n in names if n.startswith("mel-"))]
        if len(self._bands) < 2 or not {"f0", "voicing"} <= places.keys():
            raise ValueError(f"a voice needs mel-00 …, f0 and voicing; it has {', '.join(names)}")
        self._pitch, self._voicing = places["f0"], places["voicing"]
        self._n = round(SAMPLE_HZ / rate_hz)
        self._window = np.hanning(2 * self._n + 1)[:-1]
        self._grid_hz = np.fft.rfftfreq(2 * self._n, 1 / SAMPLE_HZ)
        self._centres_hz = _centres_hz(len(self._bands))
        self._source = np.zeros(2 * self._n)
        self._tail = np.zeros(self._n)
        self._phase = 0.0
        self._rng = np.random.default_rng(0)

    def say(self, frame: Sequence[float]) -> NDArray[np.float32]:
        """Return the next samples, between -1 and 1."""
        values = np.asarray(frame, np.float64)
        self._source = np.append(self._source[self._n :], self._excite(values))
        spectrum = np.fft.rfft(self._window * self._source) * self._envelope(values[self._bands])
        shaped = np.fft.irfft(spectrum)
        sound = self._tail + shaped[: self._n]
        self._tail = shaped[self._n :]
        return np.clip(sound, -1.0, 1.0).astype(np.float32)

    def _excite(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return pulses and noise of power 1 over the length of a frame."""
        voiced = float(np.clip(values[self._voicing], 0.0, 1.0))
        pitch_hz = float(values[self._pitch])
        noise = self._rng.standard_normal(self._n)
        if pitch_hz < 40.0:
            return noise
        turns = self._phase + np.arange(1, self._n + 1) * pitch_hz / SAMPLE_HZ
        self._phase = turns[-1] % 1.0
        is_pulse = np.diff(np.floor(turns), prepend=np.floor(turns[0] - pitch_hz / SAMPLE_HZ)) > 0
        pulses = is_pulse * np.sqrt(SAMPLE_HZ / pitch_hz)
        return voiced * pulses + np.sqrt(1 - voiced**2) * noise

    def _envelope(self, bands: NDArray[np.float64]) -> NDArray[np.float64]:
        level = np.interp(self._grid_hz, self._centres_hz, bands)
        power = np.clip(10 ** np.clip(level, 0.0, LOUDEST) - 1, 0.0, None)
        return np.sqrt(power / 10**LOUDEST)


def speak(frames: NDArray[np.floating], names: Sequence[str], rate_hz: float) -> NDArray:
    """Return the sound of (n, n_names) frames."""
    vocoder = Vocoder(names, rate_hz)
    return np.concatenate([vocoder.say(frame) for frame in frames])


def main(arguments: list[str] | None = None) -> int:
    """Speak; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("session", nargs="*", metavar="URL TOKEN SESSION")
    parser.add_argument("out", type=Path, metavar="OUT.wav")
    parser.add_argument("--frames", type=Path, help="a CSV file instead of a session")
    parser.add_argument("--rate-hz", type=float, default=50.0, help="frames a second")
    asked = parser.parse_args(arguments)
    if (asked.frames is None) != (len(asked.session) == 3):
        parser.error("give either URL TOKEN SESSION or --frames")
    try:
        with wave.open(str(asked.out), "wb") as file:
            file.setparams((1, 2, SAMPLE_HZ, 0, "NONE", ""))
            if asked.frames is not None:
                names, frames = read_frames(asked.frames)
                _put(file, speak(frames, names, asked.rate_hz))
            else:
                asyncio.run(listen(*asked.session, file, asked.rate_hz))
    except KeyboardInterrupt:
        return 0
    except (OSError, ValueError, ClientError) as error:
        print(f"vocoder: {error}", file=sys.stderr)
        return 1
    return 0


def read_frames(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Read a CSV file: names in the first row, a frame in each other."""
    with path.open(newline="") as file:
        names, *rows = csv.reader(file)
    if not rows:
        raise ValueError(f"{path} has no frames")
    return names, np.array(rows, np.float64)


async def listen(url: str, token: str, session: str, file: wave.Wave_write, rate_hz: float) -> None:
    """Write what is said as it comes; what was lost is silence."""
    vocoder: Vocoder | None = None
    names: tuple[str, ...] = ()
    async with connect(url, token, session=session) as client:
        async for message in client.subscribe("voice"):
            if isinstance(message, Lost):
                print(f"lost: {message.reason}", file=sys.stderr)
                continue
            if vocoder is None or message.names != names:
                vocoder, names = Vocoder(message.names, rate_hz), message.names
            for _ in range(message.dropped):
                _put(file, vocoder.say(np.zeros(len(message.names))))
            _put(file, vocoder.say(message.values))


def _centres_hz(n: int) -> NDArray[np.float64]:
    """Return the centres of n mel bands."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    return 700 * (10 ** (np.linspace(lowest, highest, n + 2)[1:-1] / 2595) - 1)


def _put(file: wave.Wave_write, sound: NDArray) -> None:
    file.writeframes((32767 * sound).astype("<i2").tobytes())


if __name__ == "__main__":
    sys.exit(main())
