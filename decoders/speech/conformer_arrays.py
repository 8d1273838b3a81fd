"""A Conformer of speech as plain arrays, which a model keeps and a live step reads.

What a row passes before patches are made is as in `decoders.speech.gru_arrays`: ``mean``,
``inverse``, ``limit``, ``days``, ``day weight``, ``day bias``, ``reduce`` and ``steps``. The rest,
float32, with R numbers of a row in a patch, W numbers of a step, L blocks, H heads and K classes:

- ``input`` (W, patch * R), the oldest row of a patch first; ``input bias`` (W,).
- ``output`` (K, W), ``output bias`` (K,).
- Of the blocks, each stacked to (L, …), named as the network's parameters are, ``blocks.`` before:
  ``first.inner``, ``first.outer``; ``attention.parts`` (queries, keys, values) and
  ``attention.mixed``; ``convolution.opened`` (values, gates), ``convolution.depthwise``,
  ``convolution.norm`` and ``convolution.closed``; ``second.inner``, ``second.outer``; ``norm``;
  each with ``.weight`` and ``.bias``. And ``attention.positions`` (L, H, context, W / H), the
  oldest step first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.speech.gru_arrays import floats

__all__ = ["BLOCKS", "of_block"]

BLOCKS = "blocks."


def of_block(weights: Weights, number: int) -> dict[str, NDArray[np.float32]]:
    """Return the arrays of one block, by the names of its parameters."""
    return {
        name.removeprefix(BLOCKS): floats(weights, name)[number]
        for name in weights
        if name.startswith(BLOCKS)
    }
