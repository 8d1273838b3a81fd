"""Rows that hold the recent past of every channel, as the stage `epoch` makes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["epochs", "n_epoch_channels"]


def n_epoch_channels(signal: Signal) -> int:
    """Return how many channels the rows hold, by their names: ``"Cz -250 ms"``.

    Raises
    ------
    Mismatch
        They hold no epochs.
    """
    parts = [name.rsplit(" ", 2) for name in signal.channels]
    channels = {part[0] for part in parts}
    if {part[-1] for part in parts} != {"ms"} or len(parts) % len(channels):
        raise Mismatch(
            f"features such as {signal.channels[0]!r} are no epochs; "
            'the last stage must be kind = "epoch"'
        )
    return len(channels)


def epochs(rows: NDArray[np.float64], n_channels: int) -> NDArray[np.float64]:
    """Return (n_rows, n_channels, n_steps) epochs of rows."""
    return rows.reshape(len(rows), n_channels, -1)
