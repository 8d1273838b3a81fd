"""A fitted model on disk: a folder with ``manifest.json`` and ``weights.safetensors``.

No pickle: reading a model runs no code of its own. The manifest says what the model is, what it
was fitted on and through which steps, so that one that does not suit the stream is refused with
both values. It holds hashes of the training data, never names, dates or anything personal; so
fitting twice on the same data gives the same bytes and the same hash.

Errors::

    ArtifactError    the folder is not a whole, unharmed model that this version reads
    Mismatch         it is, but not for this stream or this session file
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from decoders.adapting.adaptive import AdaptiveStart
from decoders.blocks import hop_samples
from decoders.deciding.probabilities import Calibrated, map_of
from decoders.deciding.stopping import Stopping
from decoders.deciding.uncued import BOUND, Heard
from decoders.decoder import Decoder, Decoding, Weights
from decoders.describe import describe, describe_pipeline, differences
from decoders.lost_channels import Others
from decoders.open_keys import as_fitted
from decoders.pipeline import Pipeline, Run, StartDecoding
from decoders.stage import Mismatch
from decoders.storage import ArtifactError, read_folder, write_folder
from devices.signal import Signal

__all__ = ["Artifact", "ArtifactError"]

FORMAT = 1
_RATE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Artifact:
    """A fitted model and all that must fit to use it.

    Parameters
    ----------
    decoder
        Its recipe, as `describe` gives it: ``kind`` and the parameters.
    pipeline
        The steps it was fitted through, as `describe_pipeline` gives them.
    signal
        What went into the steps: the rate, the channels in order, the unit.
    labels, unit
        As in `Training`.
    weights
        What ``fit`` returned.
    training_sha256
        Of the rows and targets that it was fitted on.
    metrics
        The cross-validated score, with chance level and confidence interval.
    versions
        Of the libraries that fitted it.
    stopping
        When a trial is decided before its end; None: never.
    parent
        Hash of the model that it was tuned from; empty: it was fitted from nothing.
    """

    decoder: Mapping[str, Any]
    pipeline: Mapping[str, Any]
    signal: Signal
    labels: tuple[str, ...]
    unit: str
    weights: Weights
    training_sha256: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    stopping: Stopping | None = None
    parent: str = ""

    @property
    def kind(self) -> str:
        """The decoder's kind."""
        return str(self.decoder["kind"])

    @property
    def hash(self) -> str:
        """Names this very model in 12 hex digits; any change of it changes them."""
        return _canonical_sha256(self._manifest(self._weight_bytes()))[:12]

    def save(self, folder: Path, *, replace: bool = False) -> None:
        """Write it, all or nothing.

        Raises
        ------
        ArtifactError
            The folder is there already and is not to be replaced, or cannot be written.
        """
        weights = self._weight_bytes()
        manifest = self._manifest(weights)
        manifest["sha256"] = _canonical_sha256(manifest)
        write_folder(folder, manifest, weights, replace=replace)

    @classmethod
    def load(cls, folder: Path) -> Artifact:
        """Read it, and check that it is whole.

        Raises
        ------
        ArtifactError
            There is none, it is harmed, or of an unknown format.
        """
        manifest, raw = read_folder(folder)
        if manifest.get("format") != FORMAT:
            raise ArtifactError(
                f"{folder} has format {manifest.get('format')!r}; this version reads {FORMAT}. "
                "Calibrate again, or update bci-server"
            )
        if manifest.pop("sha256", None) != _canonical_sha256(manifest):
            raise ArtifactError(f"{folder}/manifest.json is harmed: its hash differs")
        if manifest["weights_sha256"] != hashlib.sha256(raw).hexdigest():
            raise ArtifactError(f"{folder}/weights.safetensors is harmed: its hash differs")
        return cls._of(manifest, raw)

    def check(self, signal: Signal, pipeline: Pipeline, decoder: Decoder) -> None:
        """Refuse a stream or a session file that the model was not fitted for.

        Channels of the stream beyond the model's, and another order, do not matter: the model's
        are picked by name.

        Raises
        ------
        Mismatch
            Says both values.
        """
        self.check_recipes(pipeline, decoder)
        self._check_lost_channels(pipeline)
        self._check_signal(signal)
        if pipeline.channels and set(pipeline.channels) != set(self.signal.channels):
            raise Mismatch(
                f"the model was fitted on the channels {', '.join(self.signal.channels)}; "
                f"the session picks {', '.join(pipeline.channels)}"
            )

    def run(
        self,
        signal: Signal,
        pipeline: Pipeline,
        decoder: Decoder,
        made: Mapping[str, Weights] | None = None,
    ) -> Run:
        """Check, and start to decode `signal`.

        `made` holds arrays that were, or will be, made beside the run, by hash: see
        `decoders.adapting.adaptation.MadeBeside`.

        Raises
        ------
        Mismatch
            The stream or the session file does not fit the model.
        """
        self.check(signal, pipeline, decoder)
        decoder = as_fitted(decoder, self.decoder)
        picked = replace(pipeline, channels=self.signal.channels)
        stopping, others = self.stopping if pipeline.stop_error else None, Others.of(self.weights)
        if pipeline.adaptation is None:
            if pipeline.uncued is not None:  # decisions come from evidence, not from a trial's end
                picked = replace(picked, trials=None)
            return picked.start(signal, self._starter(pipeline, decoder), stopping, others)
        adaptive = AdaptiveStart(
            pipeline.adaptation,
            decoder,
            self.labels,
            self.unit,
            self.weights,
            pipeline.trials,
            signal.rate_hz,
            hop_samples(pipeline.hop_s, signal.rate_hz),
            {} if made is None else made,
        )
        return picked.start(signal, adaptive, stopping, others)

    def starter(self, decoder: Decoder) -> StartDecoding:
        """Return what starts `decoder` with these weights."""
        recipe = as_fitted(decoder, self.decoder)
        return lambda features: recipe.start(features, self.labels, self.unit, self.weights)

    def _starter(self, pipeline: Pipeline, decoder: Decoder) -> StartDecoding:
        """Return what starts `decoder`, calibrated and listened to as the session wants it."""
        starter, mapped, uncued = self.starter(decoder), map_of(self.weights), pipeline.uncued

        def start(features: Signal) -> Decoding:
            decoding = starter(features)
            if pipeline.probabilities is not None and mapped is not None:
                decoding = Calibrated(decoding, mapped)
            if uncued is not None and pipeline.trials is not None:
                hop = hop_samples(pipeline.hop_s, self.signal.rate_hz)
                bound = float(np.asarray(self.weights[BOUND], np.float64)[0])
                block_s = hop / self.signal.rate_hz
                idle = pipeline.trials.idle
                decoding = Heard(decoding, uncued.start(self.labels, idle, bound, block_s))
            return decoding

        return start

    def check_recipes(self, pipeline: Pipeline, decoder: Decoder) -> None:
        """Refuse a session file whose steps or decoder the model was not fitted with.

        Raises
        ------
        Mismatch
            Says both values.
        """
        now = describe_pipeline(pipeline)
        if now["hop_s"] != self.pipeline["hop_s"]:
            raise Mismatch(
                f"the model was fitted with hop_s = {self.pipeline['hop_s']:g}; the session has "
                f"hop_s = {now['hop_s']:g}"
            )
        stages, fitted = now["stages"], self.pipeline["stages"]
        if [s["kind"] for s in stages] != [s["kind"] for s in fitted]:
            raise Mismatch(
                f"the model was fitted through the stages {_kinds(fitted)}; the session has "
                f"{_kinds(stages)}"
            )
        own = describe(as_fitted(decoder, self.decoder))
        for was, is_now in [*zip(fitted, stages, strict=True), (self.decoder, own)]:
            if changed := differences(was, is_now):
                raise Mismatch(
                    f"the model was fitted with other settings of {was['kind']}: "
                    f"{'; '.join(changed)}. Undo the change, or calibrate again"
                )
        if pipeline.trials is not None and set(pipeline.trials.classes) != set(self.labels):
            raise Mismatch(
                f"the model knows the classes {', '.join(self.labels)}; the session's trials have "
                f"{', '.join(pipeline.trials.classes)}"
            )
        self._check_stopping(pipeline)
        for name, recipe in (
            ("probabilities", pipeline.probabilities),
            ("uncued", pipeline.uncued),
        ):
            fitted_with = self.pipeline.get(name)
            if recipe is not None and fitted_with != describe(recipe):
                raise Mismatch(
                    f"the model was fitted {'without' if fitted_with is None else 'with another'} "
                    f"[{name}]; calibrate again"
                )
            if recipe is not None and pipeline.adaptation is not None:
                raise Mismatch(
                    f"[{name}] was fitted for a decoder that does not change; with [adaptation] it "
                    "would say what is not so. Remove one of the two"
                )

    def _check_stopping(self, pipeline: Pipeline) -> None:
        trials, error = pipeline.trials, pipeline.stop_error
        if trials is None or not error:
            return
        was = self.stopping
        if was is None or (was.error, was.evidence) != (error, trials.evidence):
            fitted = "no stop_error"
            if was is not None:
                fitted = f"stop_error = {was.error:g} and evidence = {was.evidence!r}"
            raise Mismatch(
                f"the model was fitted with {fitted}; the session has stop_error = "
                f"{error:g} and evidence = {trials.evidence!r}. Calibrate again"
            )

    def _check_lost_channels(self, pipeline: Pipeline) -> None:
        recipe = pipeline.lost_channels
        if recipe is None or recipe.policy == "refuse":
            return
        others = Others.of(self.weights)
        if others is None or (recipe.policy != "mean") != bool(others.precision.size):
            raise Mismatch(
                f'the model was not fitted with [lost_channels] policy = "{recipe.policy}"; '
                'calibrate again, or set policy = "refuse"'
            )

    def _check_signal(self, signal: Signal) -> None:
        was = self.signal
        if not math.isclose(signal.rate_hz, was.rate_hz, rel_tol=_RATE_TOLERANCE):
            raise Mismatch(f"{self._fitted_at()}; the stream has {_size(signal)}")
        if missing := [c for c in was.channels if c not in signal.channels]:
            raise Mismatch(
                f"{self._fitted_at()}; the stream has {_size(signal)} and lacks "
                f"{', '.join(missing)} (it has {', '.join(signal.channels)})"
            )
        if signal.unit != was.unit:
            raise Mismatch(
                f"the model was fitted on values in {was.unit!r}; the stream has {signal.unit!r}"
            )

    def _fitted_at(self) -> str:
        return f"the model was fitted at {self.signal.rate_hz:g} Hz on {_channels(self.signal)}"

    def _weight_bytes(self) -> bytes:
        from safetensors.numpy import save

        # It writes memory as it lies: a transposed array would come back scrambled.
        raw: bytes = save({name: np.ascontiguousarray(a) for name, a in self.weights.items()})
        return raw

    def _manifest(self, weights: bytes) -> dict[str, Any]:
        stopping = {} if self.stopping is None else {"stopping": asdict(self.stopping)}
        return stopping | {
            "format": FORMAT,
            "decoder": dict(self.decoder),
            "pipeline": dict(self.pipeline),
            "signal": {
                "rate_hz": self.signal.rate_hz,
                "channels": list(self.signal.channels),
                "unit": self.signal.unit,
            },
            "labels": list(self.labels),
            "unit": self.unit,
            "training_sha256": self.training_sha256,
            "metrics": dict(self.metrics),
            "versions": dict(self.versions),
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            **({"parent": self.parent} if self.parent else {}),
        }

    @classmethod
    def _of(cls, manifest: Mapping[str, Any], raw: bytes) -> Artifact:
        from safetensors.numpy import load

        signal = manifest["signal"]
        weights = load(raw)
        for array in weights.values():
            array.flags.writeable = False
        return cls(
            decoder=manifest["decoder"],
            pipeline=manifest["pipeline"],
            signal=Signal(signal["rate_hz"], tuple(signal["channels"]), signal["unit"]),
            labels=tuple(manifest["labels"]),
            unit=manifest["unit"],
            weights=weights,
            training_sha256=manifest["training_sha256"],
            metrics=manifest["metrics"],
            versions=manifest["versions"],
            stopping=Stopping(**manifest["stopping"]) if "stopping" in manifest else None,
            parent=manifest.get("parent", ""),
        )


def _canonical_sha256(manifest: Mapping[str, Any]) -> str:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _kinds(stages: list[Mapping[str, Any]]) -> str:
    return " → ".join(stage["kind"] for stage in stages) or "none"


def _channels(signal: Signal) -> str:
    return f"{signal.n_channels} channel{'' if signal.n_channels == 1 else 's'}"


def _size(signal: Signal) -> str:
    return f"{signal.rate_hz:g} Hz on {signal.n_channels}"
