"""Where the articulators go for each phoneme, and how long it takes.

The dimensions are places, manners and voicing of the International Phonetic Alphabet, as tract
variables (Browman & Goldstein, Phonetica 49, 1992): speech motor cortex is tuned to such movements
rather than to phonemes (Mugler et al., J. Neurosci. 38:9803, 2018; Chartier et al., Neuron 98:1042,
2018). Every value is a departure from rest, 0.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["ARTICULATORS", "DURATIONS_MS", "EFFORT", "gestures"]

ARTICULATORS: tuple[str, ...] = (
    "lips",  # closed: 1
    "rounding",
    "labiodental",  # the lower lip against the teeth
    "tip",  # tongue tip: 1 touches
    "place",  # of the tip: teeth -1, ridge 0, behind it 1
    "groove",  # of the tongue, as in sibilants
    "lateral",
    "dorsum",  # back of the tongue: 1 touches
    "velum",  # open: 1
    "voice",
    "breath",  # spread glottis
    "height",  # of the tongue's body: low -1, high 1
    "back",  # of the tongue's body: front -1, back 1
    "jaw",  # open: 1
    "effort",  # to speak at all
)
EFFORT = ARTICULATORS.index("effort")

# What a consonant leaves open is what the vowels around it make of it.
_FREE = tuple(ARTICULATORS.index(name) for name in ("height", "back", "jaw"))

# fmt: off
_LOW = {"height": -0.9, "back": 0.2, "jaw": 0.9}
_OPEN_O = {"height": -0.4, "back": 0.8, "jaw": 0.6, "rounding": 0.5}
_FRONT_GLIDE = {"height": 0.6, "back": -0.7, "jaw": 0.3}
_BACK_GLIDE = {"height": 0.6, "back": 0.8, "jaw": 0.2, "rounding": 0.8}
_VOWELS: dict[str, tuple[dict[str, float], ...]] = {
    "AA": ({"height": -1.0, "back": 0.5, "jaw": 1.0},),
    "AE": ({"height": -0.7, "back": -0.6, "jaw": 0.9},),
    "AH": ({"height": -0.1, "back": 0.1, "jaw": 0.5},),
    "AO": (_OPEN_O,),
    "AW": (_LOW, _BACK_GLIDE),
    "AY": (_LOW, _FRONT_GLIDE),
    "EH": ({"height": -0.1, "back": -0.6, "jaw": 0.5},),
    "ER": ({"height": 0.0, "back": 0.1, "jaw": 0.3, "tip": 0.5, "place": 1.0, "rounding": 0.3},),
    "EY": ({"height": 0.1, "back": -0.7, "jaw": 0.4}, {"height": 0.8, "back": -0.9, "jaw": 0.2}),
    "IH": ({"height": 0.6, "back": -0.6, "jaw": 0.3},),
    "IY": ({"height": 1.0, "back": -1.0, "jaw": 0.1},),
    "OW": ({"height": 0.0, "back": 0.7, "jaw": 0.4, "rounding": 0.5}, _BACK_GLIDE),
    "OY": (_OPEN_O, _FRONT_GLIDE),
    "UH": ({"height": 0.5, "back": 0.6, "jaw": 0.3, "rounding": 0.5},),
    "UW": ({"height": 0.9, "back": 0.9, "jaw": 0.1, "rounding": 1.0},),
}

_CLOSURE = {"tip": 1.0, "place": 0.7}
_HUSH = {"tip": 0.8, "place": 1.0, "groove": 1.0, "rounding": 0.4}
_CONSONANTS: dict[str, tuple[dict[str, float], ...]] = {
    "B": ({"lips": 1.0, "voice": 1.0},),
    "CH": ({**_CLOSURE, "breath": 0.5}, {**_HUSH, "breath": 0.5}),
    "D": ({"tip": 1.0, "voice": 1.0},),
    "DH": ({"tip": 0.8, "place": -1.0, "voice": 1.0},),
    "F": ({"lips": 0.7, "labiodental": 1.0, "breath": 0.5},),
    "G": ({"dorsum": 1.0, "height": 0.9, "back": 0.5, "voice": 1.0},),
    "HH": ({"breath": 1.0},),
    "JH": ({**_CLOSURE, "voice": 1.0}, {**_HUSH, "voice": 1.0}),
    "K": ({"dorsum": 1.0, "height": 0.9, "back": 0.5, "breath": 0.5},),
    "L": ({"tip": 1.0, "lateral": 1.0, "voice": 1.0},),
    "M": ({"lips": 1.0, "velum": 1.0, "voice": 1.0},),
    "N": ({"tip": 1.0, "velum": 1.0, "voice": 1.0},),
    "NG": ({"dorsum": 1.0, "velum": 1.0, "height": 0.9, "back": 0.5, "voice": 1.0},),
    "P": ({"lips": 1.0, "breath": 0.5},),
    "R": ({"tip": 0.6, "place": 1.0, "rounding": 0.7, "height": 0.0, "back": 0.2, "voice": 1.0},),
    "S": ({"tip": 0.85, "groove": 1.0, "jaw": 0.0, "breath": 0.5},),
    "SH": ({**_HUSH, "jaw": 0.0, "breath": 0.5},),
    "T": ({"tip": 1.0, "breath": 0.5},),
    "TH": ({"tip": 0.8, "place": -1.0, "breath": 0.5},),
    "V": ({"lips": 0.7, "labiodental": 1.0, "voice": 1.0},),
    "W": ({"lips": 0.5, "rounding": 1.0, "height": 0.9, "back": 1.0, "voice": 1.0},),
    "Y": ({"dorsum": 0.4, "height": 1.0, "back": -1.0, "jaw": 0.0, "voice": 1.0},),
    "Z": ({"tip": 0.85, "groove": 1.0, "jaw": 0.0, "voice": 1.0},),
    "ZH": ({**_HUSH, "jaw": 0.0, "voice": 1.0},),
}

DURATIONS_MS = MappingProxyType({
    "AA": 240, "AE": 230, "AH": 140, "AO": 240, "AW": 260, "AY": 250, "B": 85, "CH": 110, "D": 75,
    "DH": 50, "EH": 150, "ER": 180, "EY": 190, "F": 100, "G": 80, "HH": 80, "IH": 135, "IY": 155,
    "JH": 100, "K": 80, "L": 80, "M": 70, "N": 60, "NG": 95, "OW": 220, "OY": 280, "P": 90, "R": 80,
    "S": 105, "SH": 105, "T": 75, "TH": 90, "UH": 160, "UW": 210, "V": 60, "W": 80, "Y": 80,
    "Z": 75, "ZH": 70,
})
"""Length of each phoneme in careful speech, in ms (after Klatt, J. Acoust. Soc. Am. 59:1208, 1976;
the affricates with their closure)."""
# fmt: on


@cache
def gestures(phoneme: str) -> NDArray[np.float64]:
    """Return where the articulators go: (n_parts, n_articulators), NaN where it does not matter.

    Diphthongs and affricates have two parts, all others one.
    """
    is_vowel = phoneme in _VOWELS
    parts = _VOWELS[phoneme] if is_vowel else _CONSONANTS[phoneme]
    rows = np.zeros((len(parts), len(ARTICULATORS)))
    rows[:, EFFORT] = 1.0
    if is_vowel:
        rows[:, ARTICULATORS.index("voice")] = 1.0
    else:
        rows[:, _FREE] = np.nan
    for row, part in zip(rows, parts, strict=True):
        for name, value in part.items():
            row[ARTICULATORS.index(name)] = value
    rows.flags.writeable = False
    return rows
