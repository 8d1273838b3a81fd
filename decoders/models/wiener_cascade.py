"""Wiener cascade: a Wiener filter, and a polynomial behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_width
from decoders.decoder import Decoding, Training, Weights
from decoders.models.ridge import Ridge
from decoders.output import Meaning
from decoders.rows.history import History, OfHistory, with_history
from devices.signal import Signal

__all__ = ["WienerCascade"]


@dataclass(frozen=True)
class WienerCascade:
    r"""Continuous values: what is linear in the last rows of the features, bent by a polynomial.

    :math:`u_t = b + \sum_{k<h} W_k x_{t-k}` as by `ridge`, and
    :math:`y_t = \sum_{i \le d} c_i u_t^i` of each value on its own, fitted by least squares to
    what the filter says of the training (Hunter & Korenberg, Biol. Cybern. 55, 1986; for spikes:
    Pohlmeyer et al., "Prediction of upper limb muscle activity from motor cortical discharge
    during reaching", J. Neural Eng. 4, 2007). For what does not go below or above some value:
    force, grip, muscle activity. Beyond what the filter said in training, u is held at the edge,
    where polynomials run away.

    Parameters
    ----------
    history
        Rows that count, h; 1: the newest alone. Output begins once they have been seen.
    alpha
        Strength of the penalty of the filter, or several to choose from, as for `ridge`.
    degree
        Of the polynomial, d.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    history: int = 1
    alpha: float | tuple[float, ...] = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0)
    degree: int = 3
    mode: Meaning = "velocity"

    def __post_init__(self) -> None:
        self._filter()
        if self.degree < 1:
            raise ValueError(f"degree must be at least 1, not {self.degree}")

    def _filter(self) -> Ridge:
        return Ridge(self.history, self.alpha, self.mode)

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        linear = self._filter().fit(training)
        x, y = with_history(training, self.history)
        coef = np.asarray(linear["coef"], np.float64)
        said = x @ coef.T + np.asarray(linear["intercept"], np.float64)
        middle, scale = said.mean(axis=0), said.std(axis=0)
        scale[scale == 0] = 1.0
        u = (said - middle) / scale
        bends = [_polynomial(u[:, i], y[:, i], self.degree) for i in range(y.shape[1])]
        return {
            **linear,
            "middle": middle,
            "scale": scale,
            "lowest": u.min(axis=0),
            "highest": u.max(axis=0),
            "polynomial": np.stack(bends),
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels * self.history, weights["coef"].shape[1])
        history = History(self.history, signal.n_channels)
        return OfHistory(self.mode, labels, unit, history, _Cascade(weights))


def _polynomial(u: NDArray[np.float64], y: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Return (degree + 1,) coefficients, the constant first; of what u never shows, nothing."""
    powers = np.vander(u, degree + 1, increasing=True)
    return np.asarray(np.linalg.lstsq(powers, y, rcond=None)[0], np.float64)


class _Cascade:
    """Rows → a polynomial of what is linear in them."""

    def __init__(self, weights: Weights) -> None:
        # Standardising u is folded into the filter.
        coef, intercept, middle, scale = (
            np.asarray(weights[name], np.float64)
            for name in ("coef", "intercept", "middle", "scale")
        )
        self._coef = coef / scale[:, np.newaxis]
        self._intercept = (intercept - middle) / scale
        self._lowest = np.asarray(weights["lowest"], np.float64)
        self._highest = np.asarray(weights["highest"], np.float64)
        self._powers = np.ascontiguousarray(np.asarray(weights["polynomial"], np.float64).T[::-1])

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        u = self._coef @ rows
        u += self._intercept
        np.maximum(u, self._lowest, out=u)
        np.minimum(u, self._highest, out=u)
        values = self._powers[0].copy()
        for power in self._powers[1:]:
            values *= u
            values += power
        return values
