"""A session's stages and decoder as a scikit-learn estimator, for the field's own benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from bci_server.config import Session, load_session
from decoders.calibrating.calibration import one_thread
from decoders.decoder import Moment, Training
from decoders.output import Prediction
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["SessionClassifier"]

_FLOOR = 1e-12


class SessionClassifier(ClassifierMixin, BaseEstimator):
    """Fits and predicts cut-out trials through the stages and the decoder of a session.

    Each trial runs through the stages by itself, sample by sample as it would live, from the state
    that they start in; the rows that ``[trials]`` counts are fitted on, and their log
    probabilities add up to the trial's. So it says what the live session says of a stream with
    gaps between its trials. Works in a `sklearn.pipeline.Pipeline`, a search, and MOABB.

    Parameters
    ----------
    session
        The session file (its path, or what `bci_server.config.load_session` gave), with a decoder
        of classes.
    rate_hz
        Of the trials' samples.
    channels
        Names of the trials' channels; None: those of ``[blocks]``, else numbers.
    cue_s
        How long before the cue a trial begins; negative: after it.
    unit
        Of the samples.

    Attributes
    ----------
    classes_
        (n_classes,), sorted.
    weights_
        What the decoder was fitted to, by name.
    """

    def __init__(
        self,
        session: Path | str | Session,
        rate_hz: float = 250.0,
        channels: Sequence[str] | None = None,
        cue_s: float = 0.0,
        unit: str = "uV",
    ) -> None:
        self.session = session
        self.rate_hz = rate_hz
        self.channels = channels
        self.cue_s = cue_s
        self.unit = unit

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to trials `X`, (n_trials, n_channels, n_times), of the classes `y`, (n_trials,).

        Raises
        ------
        ValueError
            They are no such arrays, or differ in number.
        Mismatch
            The session is of no classes, or does not suit the trials.
        """
        session, trials = self._loaded(), _three_dimensional(X)
        classes, targets = np.unique(np.asarray(y), return_inverse=True)
        if len(targets) != len(trials):
            raise ValueError(f"X has {len(trials)} trials, y has {len(targets)} labels")
        with one_thread():
            found = [self._rows(session, trial) for trial in trials]
            kept = [rows[counts] for rows, counts, _ in found]
            lengths = [len(rows) for rows in kept]
            if not sum(lengths):
                raise Mismatch(
                    f"no row of the trials' {trials.shape[2] / self.rate_hz:g} s lies within "
                    "[trials] start_s and end_s; cut longer trials, or say cue_s"
                )
            training = Training(
                signal=found[0][2],
                features=np.concatenate(kept),
                targets=np.repeat(targets.astype(np.int64), lengths),
                groups=np.repeat(np.arange(len(trials)), lengths),
                labels=tuple(map(str, classes)),
            )
            self.weights_ = dict(session.decoder.fit(training))
        self.classes_ = classes
        self.n_channels_ = trials.shape[1]
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return (n_trials, n_classes): how likely each class is, by all rows of the trial.

        Raises
        ------
        Mismatch
            A trial is too short for a single row.
        """
        check_is_fitted(self)
        session, trials = self._loaded(), _three_dimensional(X)
        with one_thread():
            return np.array([self._probabilities(session, trial) for trial in trials])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likeliest class of each trial, (n_trials,)."""
        likeliest: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def _loaded(self) -> Session:
        given = self.session
        session = given if isinstance(given, Session) else load_session(Path(given))
        if session.decoder.task != "classes" or session.pipeline.trials is None:
            raise Mismatch(
                f"the session {session.name!r} decodes no classes of cued trials; it needs such a "
                "decoder, and [trials]"
            )
        return session

    def _signal(self, session: Session, n_channels: int) -> Signal:
        names = tuple(self.channels or session.pipeline.channels)
        names = names or tuple(str(i) for i in range(n_channels))
        if len(names) != n_channels:
            raise Mismatch(
                f"the trials have {n_channels} channels; {len(names)} are named "
                f"({', '.join(names)}). Say channels="
            )
        return Signal(self.rate_hz, names, self.unit)

    def _rows(
        self, session: Session, trial: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], Signal]:
        """Return the rows of a trial, (n, n_features), which count, and what they are."""
        extraction = session.pipeline.extract(self._signal(session, len(trial)))
        chunk = Chunk(np.arange(trial.shape[1]) / self.rate_hz, np.ascontiguousarray(trial.T))
        rows, samples = [], []
        for _, features, _ in extraction.feed(chunk):
            if len(features.chunk):
                rows.append(features.chunk.values[-1].astype(np.float64))
                samples.append(features.moment.sample)
        first, last = self._window(session)
        at = np.array(samples, np.int64)
        values = np.array(rows).reshape(len(rows), extraction.features.n_channels)
        return values, (at >= first) & (at <= last), extraction.features

    def _window(self, session: Session) -> tuple[int, int]:
        trials = session.pipeline.trials
        if trials is None:
            raise TypeError("the session has no trials")
        cue = round(self.cue_s * self.rate_hz)
        starts, ends = round(trials.start_s * self.rate_hz), round(trials.end_s * self.rate_hz)
        return cue + starts, cue + ends

    def _probabilities(self, session: Session, trial: NDArray[np.float32]) -> NDArray[np.float64]:
        rows, counts, signal = self._rows(session, trial)
        labels = tuple(map(str, self.classes_))
        decoding = session.decoder.start(signal, labels, "", self.weights_)
        evidence = np.zeros(len(labels))
        for probabilities in self._said(decoding, rows, counts):
            evidence += np.log(np.maximum(probabilities, _FLOOR))
        if not counts.any():
            raise Mismatch("a trial is too short: no row of it counts")
        evidence -= evidence.max()
        likely = np.exp(evidence)
        return np.asarray(likely / likely.sum(), np.float64)

    @staticmethod
    def _said(
        decoding: Any, rows: NDArray[np.float64], counts: NDArray[np.bool_]
    ) -> Iterator[tuple[float, ...]]:
        for i, row in enumerate(rows):
            for output in decoding(Chunk(np.zeros(1), row[np.newaxis]), Moment(i, 0.0)):
                if counts[i] and isinstance(output, Prediction):
                    yield output.probabilities


def _three_dimensional(trials: ArrayLike) -> NDArray[np.float32]:
    values = np.asarray(trials, np.float32)
    if values.ndim != 3:
        raise ValueError(
            f"trials are (n_trials, n_channels, n_times), not {values.shape}; cut them out first"
        )
    return values
