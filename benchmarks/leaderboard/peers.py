"""The peers' own pipelines on the same splits, offline: whole trials, filters that look ahead.

Parameters are those of MOABB's ``pipelines/*.yml`` and of its paradigms' filters (Chevallier et
al., "The largest EEG-based BCI reproducibility study for open science", arXiv 2404.15319). To add
one: a line in PEERS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci_server.config import Session, session_of
from bci_server.evaluation.groups import Source, folds
from bci_server.evaluation.leaderboard import auc_beside, of_folds
from benchmarks.leaderboard.cells import described
from benchmarks.leaderboard.rows import OnRows, on_rows
from benchmarks.leaderboard.sets import RecordedSet
from benchmarks.leaderboard.variants import Variant
from decoders.calibrating.calibration import one_thread
from decoders.gathering import gather
from decoders.pipeline import Pipeline
from decoders.scoring.scores import class_scores

__all__ = ["PEERS", "OnRows", "Peer", "offline"]

_FOLDS = 10


@dataclass(frozen=True)
class Peer:
    """A pipeline of a peer's.

    Parameters
    ----------
    name
        As the peer calls it.
    make
        Makes it anew.
    bands
        Band-passes, zero phase; more than one: each channel in each.
    window_s
        What is cut out, from and to so many seconds after the cue.
    rate_hz
        What is resampled to; 0: as it was.
    """

    name: str
    make: Callable[[], Any]
    bands: Sequence[tuple[float, float]]
    window_s: tuple[float, float]
    rate_hz: float = 0.0


@dataclass(frozen=True)
class Cut:
    """Trials of one recording: (n, n_channels, n_times), and their classes."""

    x: NDArray[np.float64]
    y: NDArray[np.int64]


def cut(session: Session, source: Source, peer: Peer) -> Cut:
    """Filter a recording as a whole, and cut its trials out."""
    from scipy.signal import butter, resample, sosfiltfilt

    trials = session.pipeline.trials
    if trials is None:
        raise TypeError(f"{session.name} has no trials")
    raw = gather(source.device, Pipeline(session.pipeline.hop_s, session.pipeline.channels))
    values, rate_hz = _samples(session, source), raw.picked.rate_hz
    x, y = [], []
    for stretch in np.unique(raw.stretches):
        rows = raw.samples[raw.stretches == stretch]
        hop = round(session.pipeline.hop_s * rate_hz)
        first, last = int(rows[0]) - hop + 1, int(rows[-1]) + 1
        part = values[first:last]
        filtered = np.concatenate(
            [
                sosfiltfilt(butter(4, band, "bandpass", fs=rate_hz, output="sos"), part, axis=0)
                for band in peer.bands
            ],
            axis=1,
        )
        for event, of in zip(raw.events, raw.event_stretches, strict=True):
            if of != stretch or event.label not in trials.labels:
                continue
            begin, end = (event.sample - first + round(s * rate_hz) for s in peer.window_s)
            if begin < 0 or end > len(filtered):
                continue
            trial = filtered[begin:end].T
            if peer.rate_hz:
                n = round(trial.shape[1] * peer.rate_hz / rate_hz)
                trial = resample(trial, n, axis=1)
            x.append(trial)
            y.append(trials.classes.index(trials.labels[event.label]))
    return Cut(np.array(x), np.array(y))


def _samples(session: Session, source: Source) -> NDArray[np.float64]:
    chunks = []
    with source.device.open() as stream:
        names = session.pipeline.channels or stream.signal.channels
        columns = [stream.signal.channels.index(name) for name in names]
        from decoders.gathering import read_all

        for chunk, _, _ in read_all(stream):
            chunks.append(chunk.values[:, columns].astype(np.float64))
    return np.concatenate(chunks)


def offline(recorded: RecordedSet, peer: Peer | OnRows, folder: Path) -> dict[str, Any]:
    """Score a peer's pipeline on a set, with labels as they are, and permuted."""
    if isinstance(peer, OnRows):
        return on_rows(recorded, peer, folder)
    session = session_of(described(recorded, Variant("", _any_decoder(recorded))), folder)
    sources = recorded.sources(folder)
    with one_thread():
        found = {s.name: cut(session, s, peer) for s in sources}
        scores = {}
        control = []
        trials = session.pipeline.trials
        labels = trials.classes if trials else ()
        for number, (key, train, test) in enumerate(_splits(recorded, sources, found)):
            scores[key] = _fold(peer, train, test, labels)
            dealt = np.random.default_rng(number).permutation(train.y)
            control.append(_fold(peer, Cut(train.x, dealt), test, labels))
    if recorded.split == "within":
        scores = {"within": _together(list(scores.values()))}
        control = [_together(control)]
    metrics = [class_scores(m["truths"], m["said"], labels, m["second"]) for m in scores.values()]
    spoiled = [class_scores(m["truths"], m["said"], labels, m["second"]) for m in control]
    values = [(m[recorded.score], _half(m, recorded.score)) for m in metrics]
    value, ci95 = of_folds(values)
    chance = float(np.mean([m["chance"] for m in metrics]))
    auc, auc_ci95 = auc_beside(metrics, recorded.score)
    ranked = {} if auc_ci95 is None else {"auc": auc, "auc_ci95": list(auc_ci95)}
    return ranked | {
        "score": recorded.score,
        "value": value,
        "ci95": list(ci95),
        "chance": 0.5 if recorded.score == "auc" else chance,
        "n": sum(m["n"] for m in metrics),
        "folds": {key: v for key, (v, _) in zip(scores, values, strict=True)},
        "control": float(np.mean([m[recorded.score] for m in spoiled])),
    }


def _any_decoder(recorded: RecordedSet) -> Mapping[str, Any]:
    from benchmarks.leaderboard.variants import VARIANTS

    return VARIANTS[recorded.task][0].decoder


def _splits(
    recorded: RecordedSet, sources: Sequence[Source], found: Mapping[str, Cut]
) -> Iterator[tuple[str, Cut, Cut]]:
    if recorded.split == "within":
        whole = _joined([found[s.name] for s in sources])
        fold_of = np.empty(len(whole.y), np.int64)
        for k in np.unique(whole.y):  # consecutive trials of each class, as ours
            n = int((whole.y == k).sum())
            fold_of[whole.y == k] = np.arange(n) * _FOLDS // n
        for fold in range(_FOLDS):
            out = fold_of == fold
            yield str(fold), Cut(whole.x[~out], whole.y[~out]), Cut(whole.x[out], whole.y[out])
        return
    if recorded.split == "first":
        raise AssertionError("values are decoded by methods on our rows")
    for key, left_out, rest in folds(sources, recorded.split):
        yield (
            key,
            _joined([found[s.name] for s in rest]),
            _joined([found[s.name] for s in left_out]),
        )


def _joined(cuts: Sequence[Cut]) -> Cut:
    n = min(c.x.shape[2] for c in cuts)
    return Cut(np.concatenate([c.x[:, :, :n] for c in cuts]), np.concatenate([c.y for c in cuts]))


def _fold(peer: Peer, train: Cut, test: Cut, labels: Sequence[str]) -> dict[str, Any]:
    model = peer.make().fit(train.x, train.y)
    said = model.predict(test.x)
    second = model.predict_proba(test.x)[:, 1] if len(labels) == 2 else np.zeros(0)
    return {"truths": test.y.tolist(), "said": said.tolist(), "second": second.tolist()}


def _together(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {key: [v for part in parts for v in part[key]] for key in ("truths", "said", "second")}


def _half(metrics: Mapping[str, Any], score: str) -> float:
    low, high = metrics["auc_ci95" if score == "auc" else "ci95"]
    return float((high - low) / 2)


def _pipe(*steps: Any) -> Any:
    from sklearn.pipeline import make_pipeline

    return make_pipeline(*steps)


def csp_lda() -> Any:
    """``CSP+LDA``: 6 filters, plain LDA."""
    from pyriemann.estimation import Covariances
    from pyriemann.spatialfilters import CSP
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return _pipe(Covariances("oas"), CSP(nfilter=6), LinearDiscriminantAnalysis(solver="svd"))


def ts_lr(estimator: str = "oas") -> Any:
    """``TS+LR``: tangent space, logistic regression."""
    from pyriemann.estimation import Covariances
    from pyriemann.tangentspace import TangentSpace
    from sklearn.linear_model import LogisticRegression

    return _pipe(
        Covariances(estimator), TangentSpace("riemann"), LogisticRegression(C=1.0, max_iter=5000)
    )


def mdm(estimator: str = "oas") -> Any:
    """``MDM``."""
    from pyriemann.classification import MDM
    from pyriemann.estimation import Covariances

    return _pipe(Covariances(estimator), MDM("riemann"))


def fgmdm() -> Any:
    """``FgMDM``."""
    from pyriemann.classification import FgMDM
    from pyriemann.estimation import Covariances

    return _pipe(Covariances("oas"), FgMDM("riemann"))


def xdawn_mdm() -> Any:
    """``XDAWNCov+MDM``: 4 filters."""
    from pyriemann.classification import MDM
    from pyriemann.estimation import XdawnCovariances

    return _pipe(XdawnCovariances(nfilter=4, estimator="oas"), MDM("riemann"))


def xdawn_ts() -> Any:
    """``XDAWNCov+TS+SVM``, with logistic regression for probabilities."""
    from pyriemann.estimation import XdawnCovariances
    from pyriemann.tangentspace import TangentSpace
    from sklearn.linear_model import LogisticRegression

    return _pipe(
        XdawnCovariances(nfilter=4, estimator="oas"),
        TangentSpace("riemann"),
        LogisticRegression(max_iter=5000),
    )


def reg_lda() -> Any:
    """Shrinkage LDA on all samples."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.preprocessing import FunctionTransformer

    return _pipe(
        FunctionTransformer(_flat),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    )


def _flat(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x.reshape(len(x), -1)


MU_BETA = [(8.0, 32.0)]
AROUND = [(12.5, 13.5), (16.5, 17.5), (20.5, 21.5)]
IMAGINED = (0.0, 4.1)

FLASHES = (
    Peer("MOABB XDAWNCov+MDM", xdawn_mdm, [(1.0, 24.0)], (0.0, 1.0), 128.0),
    Peer("MOABB XDAWNCov+TS+LR", xdawn_ts, [(1.0, 24.0)], (0.0, 1.0), 128.0),
    Peer("shrinkage LDA on samples", reg_lda, [(0.5, 15.0)], (0.0, 0.8), 32.0),
)

IMAGERY = (
    Peer("MOABB CSP+LDA", csp_lda, MU_BETA, IMAGINED),
    Peer("MOABB TS+LR", ts_lr, MU_BETA, IMAGINED),
    Peer("MOABB MDM", mdm, MU_BETA, IMAGINED),
    Peer("MOABB FgMDM", fgmdm, MU_BETA, IMAGINED),
)
RIDGE = "scikit-learn RidgeCV"
NETWORK = OnRows("scikit-learn MLPRegressor", "mlp_regression")

PEERS: Mapping[str, Sequence[Peer | OnRows]] = {
    "imagery": IMAGERY,
    "imagery_3": IMAGERY,
    "ssvep": (
        Peer("MOABB SSVEP MDM", lambda: mdm("lwf"), AROUND, (2.0, 5.0)),
        Peer("MOABB SSVEP TS+LR", lambda: ts_lr("lwf"), AROUND, (2.0, 5.0)),
    ),
    "ssvep_headband": (
        Peer(
            "MOABB SSVEP TS+LR",
            lambda: ts_lr("lwf"),
            [(29.5, 30.5), (19.5, 20.5)],
            (0.2, 3.0),
        ),
    ),
    "p300": FLASHES,
    "p300_pair": FLASHES,
    "oddball": FLASHES,
    "fingers": (
        Peer("shrinkage LDA on samples", reg_lda, [(0.1, 10.0)], (0.0, 0.5), 20.0),
        Peer("MOABB TS+LR", ts_lr, MU_BETA, (0.0, 0.5)),
    ),
    "wrist": (Peer("shrinkage LDA on samples", reg_lda, [(0.1, 8.0)], (0.0, 1.0), 20.0),),
    "slow_potentials": (Peer("shrinkage LDA on samples", reg_lda, [(0.1, 4.0)], (0.0, 3.4), 2.0),),
    "velocity": (OnRows(RIDGE, "ridge, 10 bins"), NETWORK),
    "reach_directions": (OnRows(RIDGE, "ridge, 8 bins"), NETWORK),
    "reach_trials": (OnRows(RIDGE, "ridge, 3 bins"), NETWORK),
    "reach_target": (
        OnRows("scikit-learn LDA", "lda"),
        OnRows("scikit-learn LogisticRegression", "logistic"),
        OnRows("scikit-learn GaussianNB", "naive_bayes"),
    ),
    "position": (OnRows(RIDGE, "ridge"), NETWORK),
    "cvep": (OnRows("PyntBCI rCCA", "rcca"),),
}
