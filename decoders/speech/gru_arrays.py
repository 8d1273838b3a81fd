"""A recurrent network of speech as plain arrays, which a model keeps and a live step reads.

With F features, R numbers of a row in a patch (F where nothing reduces them), L layers of U units
and K classes, float32:

- ``mean``, ``inverse`` (D, F), ``limit`` (1,): a row is brought to deviations of its session, cut
  at the limit. Older models have (F,): the same for all sessions.
- ``days`` (D,) int64; ``day weight`` (D, F, F), ``day bias`` (D, F): the sessions, and their maps.
- ``loadings`` (D, F, k): what features had in common in each session, see
  `decoders.speech.new_day`. Older models have none.
- ``reduce`` (F, R): only where there is one.
- ``input`` (patch, 3 U, R): of the first layer, for each place in a patch; places that one row
  takes in turn, a stride apart, lie side by side (`places`).
- ``deeper`` (L - 1, 3 U, U), ``hidden`` (L, 3 U, U), ``input bias``, ``hidden bias`` (L, 3 U):
  gates in the order reset, update, new.
- ``initial`` (U,), ``output`` (K, U), ``output bias`` (K,).
- ``steps`` (2,) int64: patch and stride.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights

__all__ = ["DAY_BIAS", "DAY_WEIGHT", "LOADINGS", "floats", "of_day", "places"]

DAY_WEIGHT, DAY_BIAS, LOADINGS = "day weight", "day bias", "loadings"


def places(patch: int, stride: int) -> list[int]:
    """Return the places of a patch in the order in which ``input`` holds them."""
    return [place for phase in range(min(stride, patch)) for place in range(phase, patch, stride)]


def of_day(weights: Weights, session: int) -> Weights:
    """Return `weights` with the layer of one session's day alone."""
    at = weights["days"].tolist().index(session)
    kept = slice(at, at + 1)
    names = ["days", DAY_WEIGHT, DAY_BIAS, *([LOADINGS] if LOADINGS in weights else [])]
    names += [name for name in ("mean", "inverse") if weights[name].ndim > 1]
    return {**weights, **{name: weights[name][kept] for name in names}}


def floats(weights: Weights, name: str) -> NDArray[np.float32]:
    """Return an array of weights, which is of float32."""
    return np.asarray(weights[name], np.float32)
