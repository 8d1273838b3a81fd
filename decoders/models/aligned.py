"""Another decoder behind an alignment that makes each session like the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.alignment.alignment import Alignment, RowMap
from decoders.alignment.matched_latents import MatchedLatents
from decoders.alignment.recentring import Recentring
from decoders.alignment.scaling import Scaling
from decoders.alignment.stable_latents import StableLatents
from decoders.classifying.linear import check_width
from decoders.decoder import Decoder, Decoding, Moment, Training, Weights
from decoders.open_keys import chosen
from decoders.output import Output
from devices.signal import Chunk, Signal

__all__ = ["Aligned"]


@dataclass(frozen=True)
class Aligned:
    """Another decoder, fitted on and fed with rows that an alignment has made alike.

    Each session of the training is mapped into the first one; the decoder is fitted on all of
    them together. The model holds the last session's map. ``bci calibrate --from MODEL`` fits
    the map alone to a new session, from a few trials, and leaves the decoder as it is.

    Parameters
    ----------
    decoder
        What decodes the aligned rows: a table like ``[decoder]`` itself, without ``model``.
    by
        ``zscore``: each feature's mean and deviation. ``recentre``: the Riemannian mean of
        covariances (wants a covariance as the last stage). ``procrustes``: factors, turned by the
        channels that changed least (Degenhart et al. 2020). ``cca``: components, matched by what
        was meant (Gallego et al. 2020); needs labels, and works on other channels too.
    n_factors
        For ``procrustes`` and ``cca``: what the decoder sees of each row.
    stable
        For ``procrustes``: the share of channels that are taken to be stable.
    """

    decoder: Decoder
    by: Literal["zscore", "recentre", "procrustes", "cca"] = "zscore"
    n_factors: int = 10
    stable: float = 0.6

    def __post_init__(self) -> None:
        if self.n_factors < 1 or not 0 < self.stable <= 1:
            raise ValueError(
                "aligned needs n_factors >= 1 and stable above 0, at most 1; it has n_factors = "
                f"{self.n_factors}, stable = {self.stable}"
            )

    @property
    def task(self) -> Literal["classes", "continuous", "speech"]:
        """What the decoder behind it says."""
        return self.decoder.task

    def chosen(self, signal: Signal) -> Aligned:
        """Return it with what the decoder behind it leaves open as suits what that is given."""
        return replace(self, decoder=chosen(self.decoder, self._alignment.signal(signal)))

    def fit(self, training: Training) -> Weights:
        """Fit the maps, and the decoder to what they give."""
        alignment = self._alignment
        sessions = [training.of_session(number) for number in training.session_numbers]
        anchor = alignment.anchor(sessions[0])
        maps = [alignment.fit(anchor, session) for session in sessions]
        rows = np.concatenate(
            [_mapped(alignment.start(m), s.features) for m, s in zip(maps, sessions, strict=True)]
        )
        aligned = np.empty_like(rows)
        numbers = training.session_numbers
        aligned[np.concatenate([np.flatnonzero(training.is_session(n)) for n in numbers])] = rows
        inner = self.decoder.fit(
            replace(training, signal=alignment.signal(training.signal), features=aligned)
        )
        weights = _prefixed("decoder", inner) | _prefixed("anchor", anchor)
        for number, one in zip(numbers, maps, strict=True):
            weights |= _prefixed(f"map.{number}", one)
        return weights | {"session": np.array([numbers[-1]])}

    def tune(self, training: Training, weights: Weights) -> Weights:
        """Return `weights` with the map of a new session, fitted to `training`."""
        fitted = self._alignment.fit(_under("anchor", weights), training)
        kept = {k: v for k, v in weights.items() if not k.startswith("map.")}
        return kept | _prefixed("map.0", fitted) | {"session": np.array([0])}

    def of_session(self, weights: Weights, session: int) -> Weights:
        """Return `weights` with the map of one of the sessions that they were fitted on."""
        return {**weights, "session": np.array([session])}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run with the map of the last session."""
        fitted = _under(f"map.{int(np.asarray(weights['session'])[0])}", weights)
        width = fitted["offset"].shape[0] if "offset" in fitted else _triangle(fitted)
        check_width(signal.n_channels, width)
        alignment = self._alignment
        inner = self.decoder.start(
            alignment.signal(signal), labels, unit, _under("decoder", weights)
        )
        return _Running(alignment.start(fitted), inner)

    @property
    def _alignment(self) -> Alignment:
        match self.by:
            case "zscore":
                return Scaling()
            case "recentre":
                return Recentring()
            case "procrustes":
                return StableLatents(self.n_factors, self.stable)
            case "cca":
                return MatchedLatents(self.n_factors)


class _Running:
    def __init__(self, row_map: RowMap, inner: Decoding) -> None:
        self._map = row_map
        self._inner = inner
        self._rows = np.empty((0, 0))

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        for i, row in enumerate(chunk.values):
            mapped = self._map(row)
            if self._rows.shape != (len(chunk), len(mapped)):
                self._rows = np.empty((len(chunk), len(mapped)))
            self._rows[i] = mapped
        return self._inner(Chunk(chunk.times, self._rows), moment)


def _mapped(row_map: RowMap, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([row_map(row).copy() for row in rows])


def _triangle(fitted: Weights) -> int:
    n = len(fitted["whitening"])
    return n * (n + 1) // 2


def _prefixed(name: str, weights: Weights) -> dict[str, NDArray[np.generic]]:
    return {f"{name}.{key}": value for key, value in weights.items()}


def _under(name: str, weights: Weights) -> dict[str, NDArray[np.generic]]:
    start = f"{name}."
    return {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}
