"""A trailing window in whole blocks: what each block added up to, and their sum."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from decoders.stage import Mismatch

__all__ = ["FLOOR", "Window", "window_blocks"]

FLOOR = math.sqrt(np.finfo(np.float64).tiny)
"""The least power that has a logarithm: a dead channel gives -354, not minus infinity."""


def window_blocks(window_s: float, rate_hz: float, block: int) -> int:
    """Return the whole number of blocks nearest to `window_s`; 0 s is one block.

    Raises
    ------
    Mismatch
        The window is shorter than half a block.
    """
    block_s = block / rate_hz
    if 0 < window_s < block_s / 2:
        raise Mismatch(
            f"window_s = {window_s:g} s is shorter than one block of {block_s:g} s; "
            f"use at least {block_s:g} s, or 0 for the block alone"
        )
    return max(1, round(window_s / block_s))


class Window:
    """The last `blocks` rows, and their sum, added up anew each time: nothing drifts.

    Parameters
    ----------
    blocks
        Rows that the window holds.
    width
        Numbers a row.
    """

    def __init__(self, blocks: int, width: int) -> None:
        self._rows = np.zeros((blocks, width))
        self._at = 0
        self._missing = blocks

    @property
    def slot(self) -> NDArray[np.float64]:
        """(width,): where the newest row goes."""
        return self._rows[self._at]

    def total(self, out: NDArray[np.float64]) -> bool:
        """Take in the row written to `slot`, and put the window's sum into `out`, (width,).

        Returns
        -------
        False, and `out` untouched, while the window is not full.
        """
        rows = self._rows
        self._at = (self._at + 1) % len(rows)
        if self._missing:
            self._missing -= 1
            if self._missing:
                return False
        if len(rows) == 1:
            out[:] = rows[0]
        else:
            np.add.reduce(rows, axis=0, out=out)
        return True
