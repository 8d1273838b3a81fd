"""The last rows of the features as one: in the training, and live."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Moment, Training
from decoders.output import Meaning, Output, continuous
from devices.signal import Chunk

__all__ = ["History", "OfHistory", "with_history"]


def with_history(
    training: Training, history: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n, history · n_features) rows, oldest first, none across groups, and their y."""
    xs, ys = [], []
    starts = np.flatnonzero(np.diff(training.groups, prepend=training.groups[:1] - 1))
    for begin, end in zip(starts, [*starts[1:], len(training.groups)], strict=True):
        if end - begin < history:
            continue
        block = np.lib.stride_tricks.sliding_window_view(
            training.features[begin:end], history, axis=0
        )
        xs.append(block.transpose(0, 2, 1).reshape(len(block), -1))
        ys.append(training.targets[begin + history - 1 : end].astype(np.float64))
    if not xs:
        return np.empty((0, history * training.signal.n_channels)), np.empty(
            (0, len(training.labels))
        )
    return np.concatenate(xs), np.concatenate(ys)


class History:
    """The last rows lie in one piece of memory, newest last, written twice, a history apart.

    Parameters
    ----------
    history
        How many rows.
    n_features
        Of a row.
    """

    def __init__(self, history: int, n_features: int) -> None:
        self._history = history
        self._rows = np.zeros((2 * history, n_features))
        self._flat = self._rows.ravel()
        self._n = n_features
        self._seen = 0

    def take(self, rows: NDArray[np.floating]) -> NDArray[np.float64] | None:
        """Take rows in, and return the last of them all, (history · n_features,), oldest first.

        None while they are too few. It holds until the next call.
        """
        history = self._history
        for row in rows:
            at = self._seen % history
            self._rows[at] = row
            self._rows[at + history] = row
            self._seen += 1
        if self._seen < history:
            return None
        begin = self._seen % history * self._n
        return self._flat[begin : begin + history * self._n]


class OfHistory:
    """The running state of a decoder whose values follow from the last rows alone.

    Parameters
    ----------
    mode, labels, unit
        Of the command.
    history
        The last rows.
    values
        Turns them, (history · n_features,), into one value a label.
    """

    def __init__(
        self,
        mode: Meaning,
        labels: tuple[str, ...],
        unit: str,
        history: History,
        values: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> None:
        self._mode, self._labels, self._unit = mode, labels, unit
        self._history, self._values = history, values

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return what the newest rows mean; nothing while they are too few."""
        if not len(chunk) or (rows := self._history.take(chunk.values)) is None:
            return ()
        values = tuple(self._values(rows).tolist())
        return (continuous(self._mode, self._labels, values, self._unit),)
