"""Cascades of second-order sections, as scipy filters by them to the bit, also without scipy.

`scipy.signal` takes two seconds of a processor to load: more than minutes of a headset's signal
take here, sample by sample. So a live process begins without.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "filtered"]

Floats = NDArray[np.float64]

_MUCH = 10_000
"""Samples times sections of a call from which on what scipy saves is worth loading it."""


def filtered(sos: Floats, x: Floats, state: Floats) -> tuple[Floats, Floats]:
    """Filter one block, by transposed direct form II; return what comes out, and the state.

    Parameters
    ----------
    sos
        (n_sections, 6), with a0 = 1.
    x
        (n, n_columns).
    state
        (n_sections, 2, n_columns) after the block before; 0 at the start.
    """
    if len(sos) * x.size < _MUCH:
        return _by_samples(sos, x, state)
    from scipy.signal import sosfilt

    out: tuple[Floats, Floats] = sosfilt(sos, x, axis=0, zi=state)
    return out


def _by_samples(sos: Floats, x: Floats, state: Floats) -> tuple[Floats, Floats]:
    columns, after = x.T.tolist(), state.copy()
    for number, column in enumerate(columns):
        for section, (b0, b1, b2, _, a1, a2) in enumerate(sos.tolist()):
            s0, s1 = after[section, :, number].tolist()
            for n, heard in enumerate(column):
                column[n] = said = b0 * heard + s0
                s0 = b1 * heard - a1 * said + s1
                s1 = b2 * heard - a2 * said
            after[section, :, number] = s0, s1
    return np.array(columns).T, after
