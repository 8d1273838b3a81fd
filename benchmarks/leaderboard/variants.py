"""The decoders that are compared, by task. To add one: a line.

``stages`` stand in the place of the session file's; None leaves those. A decoder is its section of
the session file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["VARIANTS", "Variant"]

Table = Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """One decoder, and the stages that feed it.

    Parameters
    ----------
    name
        Of the column in the table.
    decoder
        The section ``[decoder]``, without ``model``.
    stages
        The ``[[stages]]``; None: those of the session file.
    changes
        What else differs from the session file, section by section.
    slow
        It takes minutes: left out by ``--fast``.
    """

    name: str
    decoder: Table
    stages: Sequence[Table] | None = None
    changes: Mapping[str, Table] | None = None
    slow: bool = False


def of(*kinds: str, **settings: Any) -> tuple[Variant, ...]:
    """Return these kinds as they are, behind the session file's own stages."""
    return tuple(Variant(kind, {"kind": kind}, **settings) for kind in kinds)


MU_BETA = {"kind": "bandpass", "low_hz": 8.0, "high_hz": 30.0}
COVARIANCE = {"kind": "covariance", "window_s": 2.0}
RECENTRED = {"kind": "recentre", "calibration_s": 0.0, "time_constant_s": math.inf}
POWERS = (MU_BETA, {"kind": "log_power", "window_s": 2.0})
EIGHTY_A_SECOND = {"kind": "window", "window_s": 2.0, "step": 2}  # as in the networks' session
ON_POWERS = ("lda", "logistic", "svm", "naive_bayes", "perceptron", "mlp", "tree")

IMAGERY = (
    *of("tangent_space", "mdm", "fgmdm", "csp"),
    Variant(
        "tangent_space, re-centred",
        {"kind": "tangent_space"},
        (MU_BETA, COVARIANCE, RECENTRED),
    ),
    Variant("mdm, re-centred", {"kind": "mdm"}, (MU_BETA, COVARIANCE, RECENTRED)),
    *(
        Variant(f"{kind}, log-Cholesky", {"kind": kind, "metric": "logchol"})
        for kind in ("tangent_space", "mdm", "fgmdm")
    ),
    *(Variant(f"{kind} on powers", {"kind": kind}, POWERS) for kind in ON_POWERS),
    Variant("fbcsp", {"kind": "fbcsp"}, ({"kind": "filter_bank_covariance", "window_s": 2.0},)),
    Variant("forest on powers", {"kind": "forest"}, POWERS, slow=True),
    *(
        Variant(kind, {"kind": kind, "epochs": 60}, (MU_BETA, EIGHTY_A_SECOND), slow=True)
        for kind in ("eegnet", "shallow_convnet", "eeg_tcnet")
    ),
)

# Three electrodes have no more than three filters.
FEW_FILTERS: Mapping[str, Table] = {"csp": {"filters": 2}, "fbcsp": {"pairs": 1}}
IMAGERY_3 = tuple(
    replace(variant, decoder={**variant.decoder, **FEW_FILTERS.get(variant.name, {})})
    for variant in IMAGERY
)

FLICKERS = {
    "kind": "filter_bank",
    "bands": {"13": [12.0, 14.0], "17": [16.0, 18.0], "21": [20.0, 22.0]},
}
# The peer's bands; a filter of two orders less, since it is delayed by what it is given.
NARROWER = {
    "kind": "filter_bank",
    "bands": {"13": [12.5, 13.5], "17": [16.5, 17.5], "21": [20.5, 21.5]},
    "order": 2,
}
FLICKER_COVARIANCE = (FLICKERS, {"kind": "covariance", "window_s": 3.0, "shrinkage": 0.05})

SSVEP = (
    *of("logistic", "lda", "svm", "naive_bayes", "mlp"),
    *of("forest", "boosting", slow=True),
    Variant(
        "logistic, z-scored",
        {"kind": "aligned", "by": "zscore", "decoder": {"kind": "logistic"}},
    ),
    Variant("mdm on narrow bands", {"kind": "mdm"}, FLICKER_COVARIANCE),
    Variant("tangent_space on narrow bands", {"kind": "tangent_space"}, FLICKER_COVARIANCE),
    Variant(
        "tangent_space on narrow bands, re-centred",
        {"kind": "tangent_space"},
        (*FLICKER_COVARIANCE, RECENTRED),
    ),
    Variant("mdm on narrow bands, re-centred", {"kind": "mdm"}, (*FLICKER_COVARIANCE, RECENTRED)),
    Variant("mdm on bands of 1 Hz", {"kind": "mdm"}, (NARROWER, FLICKER_COVARIANCE[1])),
)

P300_BAND = {"kind": "bandpass", "low_hz": 0.5, "high_hz": 15.0, "order": 2}
EPOCH = {"kind": "epoch", "window_s": 0.8, "step_s": 0.03125}
WHITENED = {"kind": "whiten", "calibration_s": 30.0, "time_constant_s": math.inf}

# What the peer's pipeline of the same name is given, but filtered forwards alone.
XDAWN_COVARIANCE = {"kind": "xdawn_covariance", "filters": 4}
WIDE = {"kind": "bandpass", "low_hz": 1.0, "high_hz": 24.0}
LONG_EPOCH = {"kind": "epoch", "window_s": 1.0}
LONG_TRIAL = {"trials": {"start_s": 1.0, "end_s": 1.011}}

P300 = (
    *of("lda", "logistic", "naive_bayes", "mlp", "xdawn", "xdawn_covariance"),
    *of("svm", "boosting", slow=True),
    Variant("lda, whitened", {"kind": "lda"}, (P300_BAND, WHITENED, EPOCH)),
    Variant("lda, z-scored", {"kind": "aligned", "by": "zscore", "decoder": {"kind": "lda"}}),
    Variant(
        "xdawn_covariance, the peer's settings", XDAWN_COVARIANCE, (WIDE, LONG_EPOCH), LONG_TRIAL
    ),
)
# The peer's four filters are the two that there are, where two channels are.
P300_PAIR = tuple(
    replace(variant, decoder={**variant.decoder, "filters": 2})
    if variant.decoder is XDAWN_COVARIANCE
    else variant
    for variant in P300
)

RATES = {"kind": "smooth", "time_constant_s": 0.1}
FORGETTING = {"kind": "zscore", "time_constant_s": 60.0, "warm_up_s": 5.0}
RIDGE = {"kind": "ridge", "history": 10, "alpha": [0.1, 0.3, 1.0]}

VELOCITY = (
    Variant("ridge, 10 bins", RIDGE),
    Variant("ridge, running z-score", RIDGE, (FORGETTING,)),
    Variant("kalman", {"kind": "kalman", "lag": 1}, (RATES,)),
    Variant("kalman, running z-score", {"kind": "kalman", "lag": 1}, (RATES, FORGETTING)),
    Variant("refit_kalman", {"kind": "refit_kalman"}, (RATES,)),
    Variant("point_process", {"kind": "point_process"}),
    Variant("wiener_cascade", {"kind": "wiener_cascade", "history": 10}),
    Variant("mlp_regression", {"kind": "mlp_regression", "history": 10}),
    Variant("rnn", {"kind": "rnn"}, ({"kind": "square_root"},), slow=True),
    *of("spiking", "sernn", slow=True),
)

DIRECTIONS = (
    Variant("ridge, 8 bins", {"kind": "ridge", "history": 8, "alpha": [0.03, 0.1, 0.3]}),
    Variant("kalman", {"kind": "kalman"}),
    Variant("wiener_cascade", {"kind": "wiener_cascade", "history": 8}),
    Variant("mlp_regression", {"kind": "mlp_regression", "history": 8}),
    Variant("point_process", {"kind": "point_process"}, ()),
)

# The slow part of the field over the hand's area while the hand moves.
MOVING = (
    {"kind": "lowpass", "edge_hz": 8.0, "order": 2},
    {"kind": "epoch", "window_s": 1.0, "step_s": 0.05},
)

SLOWLY = {"kind": "smooth", "time_constant_s": 1.0}

POSITION = (
    Variant("ridge", {"kind": "ridge", "alpha": [0.03, 0.1, 0.3, 1.0], "mode": "position"}),
    Variant("wiener_cascade", {"kind": "wiener_cascade", "mode": "position"}),
    Variant("mlp_regression", {"kind": "mlp_regression", "mode": "position"}),
    Variant("kalman", {"kind": "kalman", "mode": "position"}, (SLOWLY,)),
    Variant("point_process", {"kind": "point_process", "mode": "position"}, ()),
    Variant("grid_bayes", {"kind": "grid_bayes", "bins": 20, "smoothing": 2.0}, (SLOWLY,)),
)

VARIANTS: Mapping[str, Sequence[Variant]] = {
    "imagery": IMAGERY,
    "imagery_3": IMAGERY_3,
    "ssvep": SSVEP,
    "ssvep_headband": of("logistic", "lda", "svm", "naive_bayes", "mlp"),
    "p300": P300,
    "p300_pair": P300_PAIR,
    "oddball": P300,
    "position": POSITION,
    "fingers": of("lda", "logistic", "svm", "naive_bayes", "mlp"),
    "wrist": of("lda", "logistic", "svm", "naive_bayes", "mlp", stages=MOVING),
    "slow_potentials": of("lda", "logistic", "svm", "naive_bayes", "mlp"),
    "velocity": VELOCITY,
    "reach_directions": DIRECTIONS,
    "reach_target": of("lda", "logistic", "svm", "naive_bayes", "poisson", "mlp"),
    "reach_trials": (
        Variant("ridge, 3 bins", {"kind": "ridge", "history": 3, "alpha": [0.1, 0.3, 1.0, 3.0]}),
        *of("kalman", "refit_kalman"),
        Variant("wiener_cascade", {"kind": "wiener_cascade", "history": 3}),
        Variant("mlp_regression", {"kind": "mlp_regression", "history": 3}),
    ),
    # As the session file has it, with its codes.
    "cvep": (Variant("rcca", {}),),
}
