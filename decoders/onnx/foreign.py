"""A foreign network becomes a model: its file, what its maker says of it, and the session agree.

The manifest is a TOML file that the maker of the network writes::

    sha256 = "…"                  # of the .onnx file
    rate_hz = 250.0               # of the samples that go into the session's steps
    channels = ["C3", "Cz", "C4"] # in this order
    unit = "uV"
    labels = ["left", "right"]    # what the output's numbers are, in this order
    values_unit = ""              # of values: their unit
    [shapes]                      # of every input and output of the graph
    window = [1, 3, 250]
    probabilities = [1, 2]
"""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import numpy as np

from decoders.artifact import Artifact
from decoders.decoder import Weights
from decoders.describe import describe, describe_pipeline
from decoders.models.onnx import Onnx
from decoders.onnx.foreign_decoding import ForeignRows
from decoders.onnx.graph import GRAPH, SHAPE
from decoders.pipeline import Pipeline
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["ForeignManifest", "bring_in", "read_manifest"]

_SUM_TOLERANCE = 1e-3
_ROWS = 3


class ForeignManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the maker of a network says of it.

    Parameters
    ----------
    sha256
        Of the file of the graph.
    rate_hz, channels, unit
        Of the samples that go into the steps before the network.
    labels
        What the output's numbers are: classes, or the names of values.
    shapes
        Of each of the graph's inputs and outputs.
    values_unit
        Of values; empty for classes.
    """

    sha256: str
    rate_hz: float
    channels: tuple[str, ...]
    unit: str
    labels: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]
    values_unit: str = ""


def read_manifest(path: Path) -> ForeignManifest:
    """Read what the maker of a network says of it.

    Raises
    ------
    Mismatch
        It is no such manifest; says what is wrong.
    OSError
        It cannot be read.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=ForeignManifest)
    except (msgspec.DecodeError, ValueError) as e:
        raise Mismatch(f"{path} is no manifest of a network: {e}") from e


def bring_in(
    graph: bytes, manifest: ForeignManifest, pipeline: Pipeline, decoder: Onnx
) -> Artifact:
    """Make a model of a foreign graph, if everything that is said of it holds.

    The graph runs once, on noise, behind the session's own steps.

    Parameters
    ----------
    graph
        The bytes of the file.
    manifest
        What its maker says of it.
    pipeline, decoder
        The session's recipes.

    Raises
    ------
    Mismatch
        The file is another one, or its inputs and outputs, the session's channels, steps or
        classes are not what the manifest says; has both values.
    """
    _check_file(graph, manifest)
    _check_session(manifest, pipeline, decoder)
    weights: Weights = {
        GRAPH: np.frombuffer(graph, np.uint8),
        **{SHAPE + name: np.array(shape, np.int64) for name, shape in manifest.shapes.items()},
    }
    signal = Signal(manifest.rate_hz, manifest.channels, manifest.unit)
    extraction = pipeline.extract(signal)
    _try(decoder, extraction.features, manifest, weights)
    return Artifact(
        decoder=describe(decoder),
        pipeline=describe_pipeline(pipeline),
        signal=extraction.signal,
        labels=manifest.labels,
        unit=manifest.values_unit,
        weights=weights,
        training_sha256="",
        versions=_versions(),
    )


def _check_file(graph: bytes, manifest: ForeignManifest) -> None:
    found = hashlib.sha256(graph).hexdigest()
    if found != manifest.sha256.lower():
        raise Mismatch(
            f"the manifest is of the file with the hash {manifest.sha256[:12]}…; this one has "
            f"{found[:12]}…. Take the file that belongs to it"
        )


def _check_session(manifest: ForeignManifest, pipeline: Pipeline, decoder: Onnx) -> None:
    if pipeline.channels and pipeline.channels != manifest.channels:
        raise Mismatch(
            f"the network takes the channels {', '.join(manifest.channels)}; the session picks "
            f"{', '.join(pipeline.channels)}"
        )
    if decoder.task == "classes":
        if pipeline.trials is not None and set(pipeline.trials.classes) != set(manifest.labels):
            raise Mismatch(
                f"the network knows the classes {', '.join(manifest.labels)}; the session's trials "
                f"have {', '.join(pipeline.trials.classes)}"
            )
    elif not manifest.values_unit:
        raise Mismatch('values need a unit; add values_unit = "…" to the manifest')


def _try(decoder: Onnx, features: Signal, manifest: ForeignManifest, weights: Weights) -> None:
    """Let it say something of noise, and see whether that is what it is said to be."""
    n = features.n_channels
    decoder.start(features, manifest.labels, manifest.values_unit, weights)
    rows = ForeignRows(weights, decoder.input, decoder.output, decoder.state, n)
    noise = np.random.default_rng(0).standard_normal((_ROWS + rows.history, n))
    rows.take(Chunk(np.zeros(len(noise)), noise))
    said, total = rows.said.tolist(), float(rows.said.sum())
    if not np.isfinite(rows.said).all():
        raise Mismatch(f"of noise the network says {said}, which is not finite")
    wrong = abs(total - 1) > _SUM_TOLERANCE or min(said) < 0
    if decoder.says == "probabilities" and wrong:
        raise Mismatch(
            f"the network's probabilities of noise are {said}, which add up to {total:g}; if they "
            'are logits, set says = "scores"'
        )


def _versions() -> dict[str, str]:
    found = {}
    for name in ("numpy", "onnxruntime", "bci-server"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from the source tree
            continue
    return found
