"""From recordings to a fitted model, through the very steps that run live."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from importlib.metadata import PackageNotFoundError, version
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.artifact import Artifact
from decoders.blocks import hop_samples
from decoders.calibrating.cross_validation import Said, leave_out, score, stopping_scores, trials_of
from decoders.calibrating.training_rows import FEWEST_TRIALS, training_of, trial_rows
from decoders.calibrating.uncertainty import calibrate_probabilities
from decoders.calibrating.uncued_bound import evidence_bound
from decoders.deciding.speller import spelled
from decoders.deciding.stopping import EvidenceKind, Stopping, fit_stopping
from decoders.decoder import Decoder, Training, Tunable, Weights
from decoders.describe import describe, describe_pipeline
from decoders.gathering import Gathered, Progress, gather, same_source
from decoders.lost_channels import LostChannels
from decoders.open_keys import as_fitted, chosen
from decoders.pipeline import Pipeline
from decoders.speech.held_out_scores import fit_and_score
from decoders.stage import Mismatch
from decoders.training.job import train_apart
from decoders.training.recipe import Trained
from devices.device import Device
from devices.signal import Signal

__all__ = ["calibrate", "fitted", "one_thread", "uncalibrated"]

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "pyriemann", "bci-server")
_TRAINING_LIBRARIES = ("torch", "onnx", "onnxruntime")


def calibrate(
    pipeline: Pipeline,
    decoder: Decoder,
    recordings: Sequence[Device],
    target: Sequence[str] = (),
    progress: Progress | None = None,
    checkpoints: Path | None = None,
    *,
    sessions: Sequence[int] = (),
    parent: Artifact | None = None,
    scored: bool = True,
) -> Artifact:
    """Fit `decoder` on recordings, or on anything else that is a device and comes to an end.

    Parameters
    ----------
    pipeline
        The steps. Trials say which rows a decoder of classes is fitted on.
    decoder
        The recipe to fit.
    recordings
        Opened and read to their end, one after the other; give them ``speed = inf``.
    target
        For a continuous decoder, which channels of the devices' truth it shall say; empty: all.
    progress
        Is told how far it is.
    checkpoints
        A decoder that is trained for minutes is trained in a process of its own, which keeps its
        checkpoints in this folder, and goes on from those that are there. None: it is trained in
        this process, and keeps nothing.
    sessions
        Of each recording, which session it is of, ascending; none: all are of one.
    parent
        A model of before, of other people or another day: what it knows is tuned to these
        recordings, not fitted anew.
    scored
        Cross-validate, so that the model says how good it is. When to stop early is fitted on
        that, and needs it.

    Raises
    ------
    DeviceError
        A recording cannot be read.
    Mismatch
        There is too little, or the wrong kind, to fit on; says what there is.
    TrainingFailed
        The process that trains has ended without weights.
    """
    if not recordings:
        raise Mismatch("there is no recording to fit on; name at least one")
    # Threads of the linear algebra library sum in another order; one thread gives one result.
    with one_thread():
        gathered = [gather(device, pipeline, progress) for device in recordings]
        return fitted(
            gathered,
            pipeline,
            decoder,
            target,
            progress,
            checkpoints,
            sessions,
            parent,
            scored=scored,
        )


def fitted(
    gathered: Sequence[Gathered],
    pipeline: Pipeline,
    decoder: Decoder,
    target: Sequence[str] = (),
    progress: Progress | None = None,
    checkpoints: Path | None = None,
    sessions: Sequence[int] = (),
    parent: Artifact | None = None,
    *,
    scored: bool = True,
) -> Artifact:
    """Fit `decoder` on recordings that have been through the steps; see `calibrate`.

    Call it within `one_thread`, like everything that is to come out the same to the bit.

    Parameters
    ----------
    gathered
        The recordings.
    pipeline, decoder, target, progress, checkpoints, sessions, parent, scored
        As for `calibrate`.

    Raises
    ------
    Mismatch, TrainingFailed
        As for `calibrate`.
    """
    picked = same_source(gathered)
    fewest = FEWEST_TRIALS if parent is None else 0
    training = training_of(gathered, pipeline, decoder, target, sessions, fewest)
    if parent is None:
        decoder = chosen(decoder, training.signal)
    else:
        decoder = as_fitted(decoder, parent.decoder)
    fit = _fitting(decoder, checkpoints, progress)
    if parent is not None:
        fit = _tuning(decoder, pipeline, training, parent)
    found = _LeftOut()
    learned: Weights | None = None
    if decoder.task == "speech":
        if scored and parent is None:
            learned, metrics = fit_and_score(decoder, training, fit)
            found = _LeftOut(metrics)
    elif _can_be_left_out(decoder, training) and (scored or _rests_on_left_out(pipeline)):
        said = leave_out(decoder, training, progress, fit)
        found = _learn(said, gathered, pipeline, decoder, training)
        if pipeline.uncued is not None:
            found = _bounded(found, gathered, pipeline, decoder, target, sessions, fit)
    elif pipeline.probabilities is not None or pipeline.uncued is not None:
        raise Mismatch(
            f"[probabilities] and [uncued] are learned from trials that are left out; each class "
            f"needs {FEWEST_TRIALS} of them. Record more, or remove these sections"
        )
    if progress is not None:
        progress("fitting", 0.0)
    learned = fit(training) if learned is None else learned
    weights = {**learned, **_others(gathered, pipeline.lost_channels), **found.weights}
    return Artifact(
        decoder=describe(decoder),
        pipeline=describe_pipeline(pipeline),
        signal=picked,
        labels=training.labels,
        unit=training.unit,
        weights=weights,
        training_sha256=_sha256(training),
        metrics=found.metrics,
        versions=_versions(decoder),
        stopping=found.stopping,
        parent="" if parent is None else parent.hash,
    )


@dataclass(frozen=True)
class _LeftOut:
    """What trials that were left out have taught: scores, and what decisions rest on."""

    metrics: dict[str, Any] = field(default_factory=dict)
    stopping: Stopping | None = None
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)


def _learn(
    said: Said,
    gathered: Sequence[Gathered],
    pipeline: Pipeline,
    decoder: Decoder,
    training: Training,
) -> _LeftOut:
    """Score what was `said` of what was left out; fit probabilities, and when to stop, on it."""
    calibrated = calibrate_probabilities(pipeline.probabilities, training, said)
    said = calibrated.said
    evidence: EvidenceKind = "sum" if pipeline.trials is None else pipeline.trials.evidence
    metrics = score(decoder, training, said, evidence)
    stopping = _stopping(gathered, pipeline, training, said)
    if stopping is not None and pipeline.speller is None:
        rate_hz = gathered[0].picked.rate_hz
        metrics |= {"stopping": stopping_scores(training, said, stopping, rate_hz)}
    if calibrated.reliability:
        metrics |= {"reliability": calibrated.reliability}
    return _LeftOut(metrics, stopping, dict(calibrated.weights))


def _bounded(
    found: _LeftOut,
    gathered: Sequence[Gathered],
    pipeline: Pipeline,
    decoder: Decoder,
    target: Sequence[str],
    sessions: Sequence[int],
    fit: Callable[[Training], Weights],
) -> _LeftOut:
    """Add how sure a decision without a cue must be, fitted on recordings that were left out."""
    assert pipeline.uncued is not None
    rate_hz = gathered[0].picked.rate_hz
    bound, scores = evidence_bound(
        pipeline.uncued,
        pipeline.trials,
        decoder,
        gathered,
        lambda some: training_of(some, pipeline, decoder, target, sessions, fewest=1),
        fit,
        found.weights,
        sessions,
        hop_samples(pipeline.hop_s, rate_hz) / rate_hz,
    )
    metrics, weights = found.metrics | {"uncued": scores}, found.weights | bound
    return _LeftOut(metrics, found.stopping, weights)


def _rests_on_left_out(pipeline: Pipeline) -> bool:
    stops = pipeline.stop_error > 0
    return stops or pipeline.probabilities is not None or pipeline.uncued is not None


def _tuning(
    decoder: Decoder, pipeline: Pipeline, training: Training, parent: Artifact
) -> Callable[[Training], Weights]:
    """Return what tunes `parent` to a training."""
    if not isinstance(decoder, Tunable):
        raise Mismatch(
            f"{describe(decoder)['kind']} cannot begin from a model; calibrate it on the new "
            'recordings alone, or put it behind kind = "aligned"'
        )
    parent.check_recipes(pipeline, decoder)
    if (parent.labels, parent.unit) != (training.labels, training.unit):
        raise Mismatch(
            f"the model says {', '.join(parent.labels)}; the recordings have "
            f"{', '.join(training.labels)}"
        )
    return lambda some: decoder.tune(some, parent.weights)


def _can_be_left_out(decoder: Decoder, training: Training) -> bool:
    """Return whether enough is there to score; too few trials can still tune a model."""
    if decoder.task == "continuous" or getattr(decoder, "shares_classes", False):
        return True
    _, first = np.unique(training.groups, return_index=True)
    counts = np.bincount(training.targets[first], minlength=len(training.labels))
    return int(counts.min()) >= FEWEST_TRIALS


def _stopping(
    gathered: Sequence[Gathered], pipeline: Pipeline, training: Training, said: Said
) -> Stopping | None:
    """Fit when to stop, on what was said of trials that were left out."""
    trials, speller = pipeline.trials, pipeline.speller
    if trials is None or not pipeline.stop_error:
        return None
    left_out = [(trial.rows, trial.truth) for trial in trials_of(training, said)]
    if speller is not None:
        cues = [part.cues for part in (trial_rows(g, trials) for g in gathered)]
        answered = iter(left_out)
        by_cue = [{cue: next(answered)[0] for cue in of_one} for of_one in cues]
        rate_hz = gathered[0].picked.rate_hz
        left_out = [
            character
            for g, rows in zip(gathered, by_cue, strict=True)
            for character in spelled(g.events, rows, training.labels, speller, trials, rate_hz)
        ]
        if not left_out:
            raise Mismatch(
                "no whole character in the recordings to learn from when to stop: a flash needs a "
                f"marker of [speller] ({', '.join(speller.flashes)}) and, at the same sample, one "
                "of [trials]; or set stop_error = 0"
            )
    return fit_stopping(left_out, trials.evidence, pipeline.stop_error)


def _others(gathered: Sequence[Gathered], recipe: LostChannels | None) -> Weights:
    """Return what fills in lost channels, as weights; none where nothing does."""
    fits = [g.others for g in gathered if g.others is not None]
    if recipe is None or not fits:
        return {}
    return reduce(add, fits).result(recipe).weights()


def _fitting(
    decoder: Decoder, checkpoints: Path | None, progress: Progress | None
) -> Callable[[Training], Weights]:
    if checkpoints is None or not isinstance(decoder, Trained):
        return decoder.fit
    return partial(train_apart, decoder, folder=checkpoints, progress=progress)


def uncalibrated(
    pipeline: Pipeline, decoder: Decoder, signal: Signal, labels: tuple[str, ...], unit: str
) -> Artifact:
    """Return a model that knows nothing, to be calibrated in closed loop from the first moment on.

    Parameters
    ----------
    pipeline
        The steps.
    decoder
        A decoder of values that can begin so: one with a method ``blank``.
    signal
        What goes into the steps.
    labels, unit
        Names of the values, and their unit.

    Raises
    ------
    Mismatch
        This decoder cannot begin without a calibration.
    """
    blank = getattr(decoder, "blank", None)
    if blank is None:
        raise Mismatch(f"{describe(decoder)['kind']} cannot begin without a calibration")
    extraction = pipeline.extract(signal)
    weights = blank(extraction.features.n_channels, len(labels))
    return Artifact(
        decoder=describe(decoder),
        pipeline=describe_pipeline(pipeline),
        signal=extraction.signal,
        labels=labels,
        unit=unit,
        weights=weights,
        training_sha256=hashlib.sha256(b"").hexdigest(),
        versions=_versions(decoder),
    )


def _sha256(training: Training) -> str:
    digest = hashlib.sha256()
    spoken = () if training.spoken is None else (training.spoken,)
    for array in (training.features, training.targets, training.groups, *spoken):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _versions(decoder: Decoder) -> dict[str, str]:
    found = {}
    for name in _LIBRARIES + (_TRAINING_LIBRARIES if isinstance(decoder, Trained) else ()):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from the source tree, or not needed to fit this one
            continue
    return found


def one_thread() -> Any:
    """Limit the libraries that are loaded by now; so load the one that brings its own."""
    importlib.import_module("scipy.linalg")
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)
