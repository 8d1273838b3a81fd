"""A model of speech recalibrated from recordings that nobody labelled, as a model of its own."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from decoders.artifact import Artifact
from decoders.calibrating.calibration import one_thread
from decoders.decoder import Decoder, Tunable
from decoders.gathering import Progress, gather
from decoders.pipeline import Pipeline
from decoders.speech.gate import Gate
from decoders.speech.language import Language
from decoders.speech.recalibration import recalibrate
from decoders.stage import Mismatch
from devices.device import Device

__all__ = ["recalibrated"]


def recalibrated(
    pipeline: Pipeline,
    decoder: Decoder,
    recording: Device,
    parent: Artifact,
    gate: Gate | None = None,
    progress: Progress | None = None,
) -> Artifact:
    """Return `parent`, tuned to what it heard in a recording; its own hash is kept as the parent.

    Parameters
    ----------
    pipeline, decoder
        The session's recipes; there must be a language.
    recording
        Read to its end; its markers are not looked at.
    parent
        The model.
    gate
        Which labels count.
    progress
        Is told how far it is.

    Raises
    ------
    DeviceError
        The recording cannot be read.
    Mismatch
        The session has no decoder and language of speech, the recording does not suit the model,
        or what was learned is not sure enough or no better (see `recalibrate`).
    """
    language = pipeline.language
    if decoder.task != "speech" or not isinstance(decoder, Tunable):
        raise Mismatch("labels of one's own are for a decoder of speech that can be tuned")
    if not isinstance(language, Language):
        raise Mismatch("labels of one's own are made by a language; the session has no [language]")
    parent.check_recipes(pipeline, decoder)
    with one_thread():
        gathered = gather(recording, replace(pipeline, channels=parent.signal.channels), progress)
        if gathered.picked != parent.signal:
            raise Mismatch(
                f"the model was fitted at {parent.signal.rate_hz:g} Hz in {parent.signal.unit}; "
                f"the recording has {gathered.picked.rate_hz:g} Hz in {gathered.picked.unit}"
            )
        if progress is not None:
            progress("recalibrating", 0.0)
        found = recalibrate(decoder, parent.weights, language.load(), gathered, gate)
    said = {
        "heard": found.n_heard,
        "learned": found.n_learned,
        "unlike_before": found.unlike_before,
        "unlike_after": found.unlike_after,
    }
    return replace(
        parent,
        weights=found.weights,
        training_sha256=hashlib.sha256(np.ascontiguousarray(gathered.rows).tobytes()).hexdigest(),
        metrics={"pseudo_labels": said},
        parent=parent.hash,
    )
