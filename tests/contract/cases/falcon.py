"""A decoder in FALCON's shape, asked directly."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.falcon import Falcon
from tests.contract.trainings import Case, continuous_training

# Where the package is "installed" that brings it, with its entry point.
PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
sys.path.insert(0, str(PLUGINS))


def by_theirs(recipe: Falcon, training: Training) -> NDArray[np.float64]:
    from falcon_like import LinearDecoder

    out = []
    for group in (0, 1):
        decoder = LinearDecoder(**recipe.options)
        decoder.reset([""])
        rows = training.features[training.groups == group]
        out += [decoder.predict(row[np.newaxis])[0] for row in rows]
    return np.array(out)


CASES = [Case(Falcon("falcon_like", {"seed": 2.0}), continuous_training(), by_theirs)]
