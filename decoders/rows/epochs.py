"""Rows that hold the recent past of every channel, as the stage `epoch` makes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["epochs", "n_epoch_channels", "xdawn_filters"]


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


def xdawn_filters(training: Training, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit `n` spatial filters of each class by xDAWN, as pyriemann has it, to rows of epochs.

    Returns
    -------
    filters
        (n_filters, n_channels), those of the classes one after the other.
    prototypes
        (n_filters, n_steps): the mean response to each class through its own.

    Raises
    ------
    Mismatch
        The rows hold no epochs, or of fewer channels than that.
    """
    from pyriemann.spatialfilters import Xdawn

    n_channels = n_epoch_channels(training.signal)
    if n > n_channels:
        raise Mismatch(
            f"{n} spatial filters cannot be had from {n_channels} channels; use fewer filters"
        )
    model = Xdawn(nfilter=n).fit(epochs(training.features, n_channels), training.targets)
    return np.asarray(model.filters_, np.float64), np.asarray(model.evokeds_, np.float64)
