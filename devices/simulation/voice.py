"""What speech sounds like: a source and a filter for each phoneme, and the spectrum that they make.

Formants of vowels are the means of men's (Peterson & Barney, J. Acoust. Soc. Am. 24:175, 1952);
those of consonants and the parts of diphthongs follow the targets for synthesis by rule of Klatt
(J. Acoust. Soc. Am. 67:971, 1980).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["N_BANDS", "PARAMETERS", "VOICE", "acoustics", "band_edges_hz", "frames"]

PARAMETERS: tuple[str, ...] = ("f1", "f2", "f3", "voiced", "noise", "noise_hz", "breath", "pitch")
"""Formants in Hz; levels of voice, of noise at a constriction and of breath in dB; where the noise
is and the pitch, in Hz."""

N_BANDS = 20
VOICE: tuple[str, ...] = (*(f"mel-{k:02d}" for k in range(N_BANDS)), "f0", "voicing")
"""Logarithms to the base 10 of the power in mel bands from 100 to 8,000 Hz; the pitch in Hz, 0
where there is none; how voiced it is, 0 to 1."""

_SILENT = (500.0, 1500.0, 2500.0, 0.0, 0.0, 3000.0, 0.0)
_LOUD_DB = 60.0
_FORMANTS_ABOVE = ((3500.0, 200.0), (4500.0, 250.0))
_BANDWIDTHS_HZ = (60.0, 90.0, 150.0)
_GRID_HZ = np.linspace(0.0, 8000.0, 257)[1:]

# fmt: off
# F1, F2, F3 in Hz; voice, noise in dB; where the noise is, Hz; breath in dB.
_SOUNDS: dict[str, tuple[tuple[float, ...], ...]] = {
    "AA": ((730, 1090, 2440, 60, 0, 3000, 0),),
    "AE": ((660, 1720, 2410, 60, 0, 3000, 0),),
    "AH": ((640, 1190, 2390, 60, 0, 3000, 0),),
    "AO": ((570, 840, 2410, 60, 0, 3000, 0),),
    "AW": ((660, 1200, 2550, 60, 0, 3000, 0), (450, 900, 2300, 58, 0, 3000, 0)),
    "AY": ((660, 1200, 2550, 60, 0, 3000, 0), (400, 1880, 2500, 58, 0, 3000, 0)),
    "EH": ((530, 1840, 2480, 60, 0, 3000, 0),),
    "ER": ((490, 1350, 1690, 58, 0, 3000, 0),),
    "EY": ((480, 1720, 2520, 60, 0, 3000, 0), (330, 2020, 2600, 58, 0, 3000, 0)),
    "IH": ((390, 1990, 2550, 59, 0, 3000, 0),),
    "IY": ((270, 2290, 3010, 58, 0, 3000, 0),),
    "OW": ((540, 1100, 2300, 60, 0, 3000, 0), (450, 900, 2300, 58, 0, 3000, 0)),
    "OY": ((550, 960, 2400, 60, 0, 3000, 0), (360, 1820, 2450, 58, 0, 3000, 0)),
    "UH": ((440, 1020, 2240, 60, 0, 3000, 0),),
    "UW": ((300, 870, 2240, 58, 0, 3000, 0),),
    "B": ((200, 1100, 2150, 40, 25, 1000, 0),),
    "CH": ((350, 1800, 2820, 0, 0, 3000, 0), (350, 1800, 2820, 0, 54, 3000, 0)),
    "D": ((200, 1600, 2600, 40, 30, 4000, 0),),
    "DH": ((270, 1290, 2540, 46, 30, 5500, 0),),
    "F": ((340, 1100, 2080, 0, 40, 6500, 0),),
    "G": ((200, 1990, 2850, 40, 28, 2000, 0),),
    "HH": ((np.nan, np.nan, np.nan, 0, 0, 3000, 48),),
    "JH": ((260, 1800, 2820, 40, 0, 3000, 0), (260, 1800, 2820, 42, 48, 3000, 0)),
    "K": ((300, 1990, 2850, 0, 44, 2000, 20),),
    "L": ((310, 1050, 2880, 54, 0, 3000, 0),),
    "M": ((480, 1270, 2130, 50, 0, 3000, 0),),
    "N": ((480, 1340, 2470, 50, 0, 3000, 0),),
    "NG": ((480, 2000, 2900, 50, 0, 3000, 0),),
    "P": ((400, 1100, 2150, 0, 40, 1000, 20),),
    "R": ((310, 1060, 1380, 55, 0, 3000, 0),),
    "S": ((320, 1390, 2530, 0, 54, 5500, 0),),
    "SH": ((300, 1840, 2750, 0, 54, 3000, 0),),
    "T": ((400, 1600, 2600, 0, 46, 4000, 20),),
    "TH": ((320, 1290, 2540, 0, 36, 5500, 0),),
    "V": ((220, 1100, 2080, 47, 32, 6500, 0),),
    "W": ((290, 610, 2150, 54, 0, 3000, 0),),
    "Y": ((260, 2070, 3020, 54, 0, 3000, 0),),
    "Z": ((240, 1390, 2530, 46, 48, 5500, 0),),
    "ZH": ((300, 1840, 2750, 46, 48, 3000, 0),),
}
# fmt: on


@cache
def acoustics(phoneme: str | None) -> NDArray[np.float64]:
    """Return what a phoneme aims at, (n_parts, n_parameters) but for the pitch, which is 0.

    None is silence. NaN: as the phonemes around it have it.
    """
    sounds = (_SILENT,) if phoneme is None else _SOUNDS[phoneme]
    rows = np.array([(*sound, 0.0) for sound in sounds], np.float64)
    rows.flags.writeable = False
    return rows


def frames(parameters: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return how (n, n_parameters) sound: (n, len(VOICE)), see `VOICE`.

    The voice's source falls by 12 dB an octave and is radiated with 6 dB an octave more; each
    formant is a resonance of second order; noise at a constriction is spread log-normally about
    where it is, and does not pass the formants.
    """
    voiced, noise, noise_hz, breath, pitch = parameters[:, 3:].T
    low = (_GRID_HZ / 200) ** 2
    tract = _tract(parameters[:, :3])
    power = _level(voiced)[:, None] * low / (1 + low) ** 2 * tract
    power += 0.02 * _level(breath)[:, None] * tract
    octaves = np.log2(_GRID_HZ / np.maximum(noise_hz, 100.0)[:, None])
    power += _level(noise)[:, None] * np.exp(-0.5 * (octaves / 0.4) ** 2)
    bands = np.log10(1.0 + power @ _mel_weights().T)
    voicing = np.clip(voiced / _LOUD_DB, 0.0, 1.0)
    f0 = np.where(voicing > 0.5, pitch, 0.0)
    return np.column_stack((bands, f0, voicing)).astype(np.float32)


def band_edges_hz() -> NDArray[np.float64]:
    """Return the edges and centres of the mel bands, (N_BANDS + 2,) in Hz: each spans three."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (100.0, 8000.0))
    return 700 * (10 ** (np.linspace(lowest, highest, N_BANDS + 2) / 2595) - 1)


def _level(decibels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a power that is 0 at 0 dB."""
    return 10 ** (decibels / 10) - 1


def _tract(formants_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the power that the vocal tract lets through, (n, n_grid)."""
    power = np.ones((len(formants_hz), len(_GRID_HZ)))
    moving = zip(formants_hz.T[:, :, None], _BANDWIDTHS_HZ, strict=True)
    for centre, width in (*moving, *_FORMANTS_ABOVE):
        square = np.square(centre)
        power *= square**2 / ((square - _GRID_HZ**2) ** 2 + (width * _GRID_HZ) ** 2)
    return power


@cache
def _mel_weights() -> NDArray[np.float64]:
    """Return triangles that add up to 1 within each band, (N_BANDS, n_grid)."""
    edges = band_edges_hz()
    rising = (_GRID_HZ - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - _GRID_HZ) / np.diff(edges)[1:, None]
    weights = np.clip(np.minimum(rising, falling), 0.0, None)
    return weights / weights.sum(axis=1, keepdims=True)
