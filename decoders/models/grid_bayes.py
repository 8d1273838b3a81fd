"""Where is it, on a grid of places: Bayes' rule on counts of spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_width
from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.output import Meaning, Output, continuous
from decoders.rows.counts import check_counts
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["GridBayes"]

_FEWEST_ROWS = 20
_SILENT = 1e-6


@dataclass(frozen=True)
class GridBayes:
    r"""Position on a line or a plane, from units that each fire more at some places.

    The places that the training visited are a grid of cells c, each with the mean counts
    :math:`\lambda_{ic}` of unit i there, smoothed over neighbours. By Bayes' rule with continuity
    (Zhang et al., "Interpreting neuronal population activity by reconstruction", J. Neurophysiol.
    79, 1998, eqs. 36 and 44)

    .. math:: P_t(c) \propto \sum_{c'} T(c, c') P_{t-1}(c') \cdot
        \prod_i \lambda_{ic}^{n_i} e^{-\lambda_{ic}}

    with T a Gaussian as wide as the training moved from row to row. It says the mean of P. Wants
    counts: whole or smoothed, never below 0.

    Parameters
    ----------
    bins
        Cells along each axis, over the range of the training.
    smoothing
        Deviation of the Gaussian that the maps of rates are smoothed with, in cells.
    speed
        How much wider T is than the training's own steps: places change in jumps otherwise.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    bins: int = 20
    smoothing: float = 1.0
    speed: float = 1.0
    mode: Meaning = "position"

    def __post_init__(self) -> None:
        if self.bins < 2 or not self.smoothing >= 0 or not self.speed > 0:
            raise ValueError(
                f"grid_bayes needs bins >= 2, smoothing >= 0 and speed > 0; it has bins = "
                f"{self.bins}, smoothing = {self.smoothing}, speed = {self.speed}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        places = training.targets.astype(np.float64)
        if len(places) < _FEWEST_ROWS:
            raise Mismatch(
                f"{len(places)} rows are too few to fit on; at least {_FEWEST_ROWS} are needed"
            )
        if places.shape[1] > 2 or not np.ptp(places, axis=0).all():
            raise Mismatch(
                "grid_bayes says one or two values that change; the target has "
                f"{', '.join(training.labels)}. Name them with [target] channels"
            )
        check_counts(training)
        lowest, width = places.min(axis=0), np.ptp(places, axis=0) / self.bins
        cell = np.minimum(((places - lowest) / width).astype(np.int64), self.bins - 1)
        number = cell @ self.bins ** np.arange(places.shape[1])
        visited, rates, share = _maps(self, training, number, places.shape[1])
        at = visited[:, np.newaxis] // self.bins ** np.arange(places.shape[1]) % self.bins
        follows = np.diff(training.groups) == 0
        steps = np.diff(places, axis=0)[follows]
        typical = np.sqrt((steps**2).mean(axis=0)) if len(steps) else width
        return {
            "centres": lowest + (at + 0.5) * width,
            "rates": rates,
            "share": share,
            # At least half a cell: what moves slower would never leave one.
            "step": np.maximum(self.speed * typical, width / 2),
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run, each place as likely as it was in training."""
        check_width(signal.n_channels, weights["rates"].shape[1])
        return _Running(self.mode, labels, unit, weights)


def _maps(
    recipe: GridBayes, training: Training, number: NDArray[np.int64], n_axes: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the cells that were visited, (n,); their rates, (n, n_units); their share of time."""
    from scipy.ndimage import gaussian_filter

    shape = (recipe.bins,) * n_axes
    n_cells = recipe.bins**n_axes
    time = np.bincount(number, minlength=n_cells).astype(np.float64)
    visited = np.flatnonzero(time)
    smooth_time = gaussian_filter(time.reshape(shape), recipe.smoothing, mode="constant").ravel()
    rates = np.empty((len(visited), training.features.shape[1]))
    for i, counts in enumerate(training.features.T):
        total = np.bincount(number, counts, minlength=n_cells).reshape(shape)
        smooth = gaussian_filter(total, recipe.smoothing, mode="constant").ravel()
        rates[:, i] = smooth[visited] / smooth_time[visited]
    # A unit that was never heard at a place makes it unlikely, not impossible.
    floor = _SILENT + 1e-3 * training.features.mean(axis=0)
    return visited, np.maximum(rates, floor), time[visited] / time.sum()


class _Running:
    def __init__(self, mode: Meaning, labels: tuple[str, ...], unit: str, weights: Weights) -> None:
        self._mode, self._labels, self._unit = mode, labels, unit
        self._centres = np.ascontiguousarray(weights["centres"], np.float64)
        rates = np.asarray(weights["rates"], np.float64)
        self._log_rates = np.log(rates)
        self._silence = rates.sum(axis=1)
        self._moves = _moves(self._centres, np.asarray(weights["step"], np.float64))
        self._places = np.array(weights["share"], np.float64)
        self._likely = np.empty(len(rates))

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        for row in chunk.values:
            self._step(row)
        values = tuple((self._places @ self._centres).tolist())
        return (continuous(self._mode, self._labels, values, self._unit),)

    def _step(self, counts: NDArray[np.floating]) -> None:
        likely = self._likely
        np.matmul(self._log_rates, counts, out=likely)
        likely -= self._silence
        likely -= likely.max()
        np.exp(likely, out=likely)
        places = self._moves @ self._places
        places *= likely
        total = places.sum()
        if total < np.finfo(np.float64).tiny:  # nowhere near where it was: begin anew
            places, total = likely.copy(), likely.sum()
        self._places = places / total


def _moves(centres: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return T, (n_cells, n_cells): column c' is where one goes from there."""
    apart = (centres[:, np.newaxis] - centres) / step
    moves = np.exp(-0.5 * (apart**2).sum(axis=2))
    return np.asarray(moves / moves.sum(axis=0), np.float64)
