"""Electrodes that are lost while a session runs: found, and filled in or refused.

Found causally, block by block, so how the network cut the samples changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["Found", "LostChannels", "Others", "OthersFit", "Reason", "Watch"]

Reason = Literal["not finite", "flat"]
Policy = Literal["refuse", "mean", "others", "draw"]

_PREFIX = "lost_channels."
_SHRINKAGE = 1e-3

_NOISE = 1 << 14
"""Samples after which the noise repeats."""
_APART = 977
"""Samples by which the noise of one channel is ahead of that of the one before."""
_NOISE_S = 0.1
"""The noise forgets within such a time, so that its changes are as alike as those of a signal."""


@dataclass(frozen=True)
class LostChannels:
    r"""The ``[lost_channels]`` section of the session file: what becomes of electrodes that fail.

    A channel is lost in a block that holds a value which is not finite, and while it is flat. Lost
    channels are filled in before the first stage. With ``"others"`` that is what the other
    channels say of them, as a Gaussian with the mean :math:`\mu` and the precision P of the
    calibration: :math:`\mu_L - P_{LL}^{-1} P_{LR} (x_R - \mu_R)`, L lost and R the rest.

    Parameters
    ----------
    policy
        ``"refuse"``: such a block is not decoded, and commands are neutral. ``"mean"``: it is
        decoded with the channel's mean during calibration. ``"others"``: with what the other
        channels say of it, by a regression that calibration fits and the model keeps.
        ``"draw"``: with that and noise, as large as what the others leave open. For decoders of
        covariances: they are misled by a channel that follows from others without a rest.
    flat_s
        A channel that has not changed for so long is flat; 0: nobody looks. Counts of spikes rest
        at 0 for seconds: take longer than the longest silence of a unit, or 0.
    most
        When more are lost than this, the block is refused whatever the policy.
    """

    policy: Policy = "refuse"
    flat_s: float = 1.0
    most: int = 3

    def __post_init__(self) -> None:
        if self.flat_s < 0 or self.most < 1:
            raise ValueError(
                f"lost_channels needs flat_s >= 0 and most >= 1; it has flat_s = {self.flat_s}, "
                f"most = {self.most}"
            )


@dataclass(frozen=True, slots=True)
class Found:
    """What is lost in one block.

    Parameters
    ----------
    reasons
        Which channels, and why.
    filled
        The block with them filled in; it holds until the next one. None: the block is refused, or
        nothing is lost.
    """

    reasons: Mapping[str, Reason]
    filled: Chunk | None


@dataclass(frozen=True, slots=True)
class Others:
    """What channels say of each other.

    Parameters
    ----------
    mean
        (n_channels,) float64.
    precision
        (n_channels, n_channels) float64, the inverse of their covariance; empty where only the
        mean is wanted.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]

    def gain(self, lost: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return K, (n_channels, n_lost), and c: a row x, 0 where it is lost, lacks c + x K."""
        if not self.precision.size:
            return np.zeros((len(self.mean), len(lost))), self.mean[lost]
        k = -np.linalg.solve(self.precision[np.ix_(lost, lost)], self.precision[lost]).T
        k[lost] = 0.0
        return np.ascontiguousarray(k), self.mean[lost] - self.mean @ k

    def rest(self, lost: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return L, (n_lost, n_lost): L Lᵀ is the covariance of what the others leave open."""
        return np.asarray(np.linalg.cholesky(np.linalg.inv(self.precision[np.ix_(lost, lost)])))

    def weights(self) -> dict[str, NDArray[np.float64]]:
        """Return what a model keeps."""
        return {f"{_PREFIX}mean": self.mean, f"{_PREFIX}precision": self.precision}

    @staticmethod
    def of(weights: Mapping[str, NDArray[np.generic]]) -> Others | None:
        """Return what a model has kept; None if it was fitted without."""
        if f"{_PREFIX}mean" not in weights:
            return None
        mean, precision = (
            np.asarray(weights[f"{_PREFIX}{name}"], np.float64) for name in ("mean", "precision")
        )
        return Others(mean, precision)


class OthersFit:
    """Gathers, block by block, what `Others` needs.

    The covariance is that of the changes from sample to sample: slow drifts, which are large and
    the same everywhere, would else decide alone what a channel says of another.
    """

    def __init__(self, n_channels: int) -> None:
        self._n = 0
        self._n_changes = 0
        self._sum = np.zeros(n_channels)
        self._products = np.zeros((n_channels, n_channels))
        self._last: NDArray[np.float64] | None = None

    def add(self, chunk: Chunk, found: Found) -> None:
        """Take in a block; one in which something is lost counts as missing."""
        if found.reasons:
            self._last = None
            return
        values = chunk.values.astype(np.float64)
        self._n += len(values)
        self._sum += values.sum(axis=0)
        if self._last is not None and not chunk.gap:
            values = np.concatenate([self._last, values])
        self._last = values[-1:]
        changes = np.diff(values, axis=0)
        self._n_changes += len(changes)
        self._products += changes.T @ changes

    def __add__(self, other: OthersFit) -> OthersFit:
        """Return what both have gathered."""
        both = OthersFit(len(self._sum))
        both._n = self._n + other._n
        both._n_changes = self._n_changes + other._n_changes
        both._sum = self._sum + other._sum
        both._products = self._products + other._products
        return both

    def result(self, recipe: LostChannels) -> Others:
        """Return what was learned.

        Raises
        ------
        Mismatch
            It is too little.
        """
        n_channels = len(self._sum)
        if self._n_changes <= n_channels:
            raise Mismatch(
                f"{self._n} samples are too few to learn what {n_channels} channels say of each "
                'other; record more, or set [lost_channels] policy = "mean"'
            )
        mean = self._sum / self._n
        if recipe.policy == "mean":
            return Others(mean, np.empty((0, 0)))
        covariance = self._products / self._n_changes
        ridge = _SHRINKAGE * max(float(np.trace(covariance)) / n_channels, np.finfo(float).tiny)
        covariance.flat[:: n_channels + 1] += ridge
        return Others(mean, np.asarray(np.linalg.inv(covariance), np.float64))


class Watch:
    """Looks through the blocks of one stream.

    Parameters
    ----------
    recipe
        What becomes of lost channels; None: refused, and nobody looks for flat ones.
    signal, hop
        What the blocks are.
    others
        What fills in; None: every block with a lost channel is refused.
    """

    def __init__(
        self, recipe: LostChannels | None, signal: Signal, hop: int, others: Others | None
    ) -> None:
        self._signal = signal
        self._flat = 0 if recipe is None else round(recipe.flat_s * signal.rate_hz / hop)
        if recipe is not None and recipe.flat_s > 0:
            self._flat = max(self._flat, 1)
        self._most = 0 if recipe is None or recipe.policy == "refuse" else recipe.most
        self._others = others
        self._values = np.empty((hop, signal.n_channels))
        self._last = np.full(signal.n_channels, np.nan, np.float32)
        self._still = np.zeros(signal.n_channels, np.int64)
        self._lost: NDArray[np.intp] = np.empty(0, np.intp)
        self._gain, self._offset = np.empty((signal.n_channels, 0)), np.empty(0)
        self._rest = np.empty((0, 0))
        draws = recipe is not None and recipe.policy == "draw"
        self._noise = _noise(signal.rate_hz) if draws else None
        self._now = np.arange(hop)

    def __call__(self, chunk: Chunk) -> Found:
        """Look at one block."""
        values = chunk.values
        self._now += len(values)
        if chunk.gap:
            self._last[:] = np.nan
            self._still[:] = 0
        flat = self._flat_channels(values)
        is_finite = bool(np.isfinite(values.sum(dtype=np.float64)))
        if is_finite and flat is None:
            return _NOTHING
        bad = np.zeros(values.shape[1], bool) if is_finite else ~np.isfinite(values).all(axis=0)
        lost = np.flatnonzero(bad if flat is None else bad | flat)
        if not len(lost):  # finite, but too large to add up
            return _NOTHING
        channels = self._signal.channels
        reasons: dict[str, Reason] = {channels[i]: "not finite" if bad[i] else "flat" for i in lost}
        return Found(reasons, self._filled(chunk, lost))

    def _flat_channels(self, values: NDArray[np.floating]) -> NDArray[np.bool_] | None:
        """Return which channels have been flat for long enough; None: none of them."""
        if not self._flat:
            return None
        still = (values == self._last).all(axis=0)
        self._last[:] = values[-1]
        self._still += 1
        self._still *= still
        flat = self._still >= self._flat
        return flat if flat.any() else None

    def _filled(self, chunk: Chunk, lost: NDArray[np.intp]) -> Chunk | None:
        if self._others is None or len(lost) > self._most:
            return None
        if not np.array_equal(lost, self._lost):
            self._lost = lost
            self._gain, self._offset = self._others.gain(lost)
            if self._noise is not None:
                self._rest = self._others.rest(lost)
        values = self._values
        values[:] = chunk.values
        values[:, lost] = 0.0
        filled = values @ self._gain + self._offset
        if self._noise is not None:
            at = self._now[:, np.newaxis] + _APART * lost
            filled += self._noise[at % _NOISE] @ self._rest.T
        values[:, lost] = filled
        return Chunk(chunk.times, values, chunk.gap)


_NOTHING = Found({}, None)


def _noise(rate_hz: float) -> NDArray[np.float64]:
    """Return noise that goes round in a circle and changes by 1 from sample to sample, (n,)."""
    keep = max(0.0, 1.0 - 1.0 / (_NOISE_S * rate_hz))
    drawn = np.random.default_rng(0).standard_normal(_NOISE)
    # x_t = keep x_(t-1) + drawn_t around the circle: a division in the frequency domain.
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(_NOISE))
    around = np.fft.irfft(np.fft.rfft(drawn) / (1.0 - keep * turn), _NOISE)
    return np.asarray(around / np.diff(around).std())
