"""A checkpoint of the public Brain-to-Text '25 baseline becomes a model of kind ``speech``.

The baseline (repository ``Neuroprosthetics-Lab/nejm-brain-to-text``) saves with torch a dictionary
of which ``model_state_dict`` is read, and beside it ``args.yaml``. Nothing but tensors and numbers
is unpickled. Names, with D days, F features, U units, L layers::

    day_weights.0 …      (F, F)          day_biases.0 …      (1, F)
    gru.weight_ih_l0     (3 U, patch F)  gru.weight_hh_l0 …  (3 U, U)
    gru.weight_ih_l1 …   (3 U, U)        gru.bias_ih_l0 …    (3 U,), bias_hh the same
    out.weight           (41, U)         out.bias            (41,)
    h0                   (1, 1, U)

before each ``_orig_mod.`` where it was compiled. The baseline smooths its rows with a kernel that
looks ahead and scales them by block; a live session's stages do neither (docs/speech-model.md).
"""

from __future__ import annotations

import pickle  # noqa: TID251 - for the name of its error alone
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from decoders.artifact import Artifact
from decoders.decoder import Weights
from decoders.describe import describe, describe_pipeline
from decoders.models.speech import Speech
from decoders.networks.speech_gru import GruShape, SpeechGru
from decoders.networks.standard import Standardized
from decoders.pipeline import Pipeline
from decoders.stage import Mismatch
from decoders.training.gru_arrays import arrays_of
from devices.signal import Signal
from devices.speech.phonemes import CLASSES

__all__ = ["Baseline", "bring_in_baseline", "read_baseline"]

_COMPILED = "_orig_mod."
# Wide enough to cut nothing: the baseline does not.
_LIMIT = 1e6


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a checkpoint holds.

    Parameters
    ----------
    shape
        The network's sizes.
    sessions
        The names of its days.
    state
        Its tensors by name.
    """

    shape: GruShape
    sessions: tuple[str, ...]
    state: Mapping[str, Tensor]

    @property
    def weights(self) -> Weights:
        """The arrays of the network; the newest day is the last session's."""
        network = SpeechGru(self.shape, len(self.sessions))
        network.load_state_dict(self._named())
        standard = Standardized(
            np.zeros(self.shape.features, np.float32),
            np.ones(self.shape.features, np.float32),
            _LIMIT,
        )
        return arrays_of(network, standard, range(len(self.sessions)))

    def _named(self) -> dict[str, Tensor]:
        days = range(len(self.sessions))
        maps = torch.stack([self.state[f"day_weights.{day}"] for day in days])
        renamed = {
            name.replace("gru.", "cells.").replace("out.", "scores."): tensor
            for name, tensor in self.state.items()
            if name.startswith(("gru.", "out."))
        }
        return renamed | {
            "day.departures": maps - torch.eye(self.shape.features),
            "day.biases": torch.cat([self.state[f"day_biases.{day}"] for day in days]),
            "initial": self.state["h0"][0, 0],
        }


class _Model(msgspec.Struct, frozen=True):
    n_input_features: int
    n_units: int
    n_layers: int
    patch_size: int
    patch_stride: int


class _Dataset(msgspec.Struct, frozen=True):
    n_classes: int
    sessions: tuple[str, ...]


class _Args(msgspec.Struct, frozen=True):
    model: _Model
    dataset: _Dataset


def read_baseline(checkpoint: Path, args: Path) -> Baseline:
    """Read a checkpoint and its arguments, and check every name and shape.

    Raises
    ------
    Mismatch
        It is no such checkpoint, or the two do not belong together; says what is wrong.
    OSError
        A file cannot be read.
    """
    said = _read_args(args)
    state = _read_state(checkpoint)
    model = said.model
    shape = GruShape(
        model.n_input_features,
        0,
        model.patch_size,
        model.patch_stride,
        model.n_units,
        model.n_layers,
        said.dataset.n_classes,
    )
    if shape.classes != len(CLASSES):
        raise Mismatch(f"{args} says {shape.classes} classes; speech has {len(CLASSES)}")
    _check(state, _shapes(shape, said.dataset.sessions), checkpoint)
    return Baseline(shape, said.dataset.sessions, state)


def bring_in_baseline(
    checkpoint: Path, args: Path, pipeline: Pipeline, decoder: Speech
) -> Artifact:
    """Make a model of a checkpoint, for the steps of a session.

    Parameters
    ----------
    checkpoint, args
        The two files.
    pipeline, decoder
        The session's recipes. Its [blocks] name the channels, in the order of the rows' columns;
        else they are ``tx-000`` … and, behind them, as many ``sbp-000`` ….

    Raises
    ------
    Mismatch
        As `read_baseline`; or the session's decoder has another shape, or its steps put out
        another number of features.
    OSError
        A file cannot be read.
    """
    baseline = read_baseline(checkpoint, args)
    _check_recipe(baseline.shape, decoder)
    channels = pipeline.channels or _channels(baseline.shape.features)
    extraction = pipeline.extract(Signal(1 / pipeline.hop_s, channels, "1"))
    if extraction.features.n_channels != baseline.shape.features:
        raise Mismatch(
            f"the checkpoint reads {baseline.shape.features} features; the session's steps put out "
            f"{extraction.features.n_channels}"
        )
    return Artifact(
        decoder=describe(decoder),
        pipeline=describe_pipeline(pipeline),
        signal=extraction.signal,
        labels=CLASSES,
        unit="",
        weights=baseline.weights,
        training_sha256="",
    )


def _read_args(path: Path) -> _Args:
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=_Args)
    except (msgspec.DecodeError, ImportError) as e:
        raise Mismatch(f"{path} are no arguments of the baseline: {e}") from e


def _read_state(path: Path) -> dict[str, Tensor]:
    # The loss and the error rate beside the tensors are numpy's own numbers, of either generation.
    scalar = np.float64(0).__reduce__()[0]
    numbers: list[Any] = [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype]
    numbers += [np.dtypes.Float64DType, np.dtypes.Float32DType]
    try:
        with torch.serialization.safe_globals(numbers):
            held = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as e:
        raise Mismatch(
            f"{path} is no checkpoint of tensors and numbers alone, and nothing else is read: "
            f"{str(e).splitlines()[0]}"
        ) from e
    state = held.get("model_state_dict") if isinstance(held, dict) else None
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise Mismatch(f"{path} has no model_state_dict of tensors; it is no baseline checkpoint")
    return {name.removeprefix(_COMPILED): tensor.float() for name, tensor in state.items()}


def _shapes(shape: GruShape, sessions: Sequence[str]) -> dict[str, tuple[int, ...]]:
    f, u = shape.features, shape.units
    wanted: dict[str, tuple[int, ...]] = {
        "out.weight": (shape.classes, u),
        "out.bias": (shape.classes,),
        "h0": (1, 1, u),
    }
    for day in range(len(sessions)):
        wanted |= {f"day_weights.{day}": (f, f), f"day_biases.{day}": (1, f)}
    for layer in range(shape.layers):
        read = u if layer else shape.patch * f
        wanted |= {
            f"gru.weight_ih_l{layer}": (3 * u, read),
            f"gru.weight_hh_l{layer}": (3 * u, u),
            f"gru.bias_ih_l{layer}": (3 * u,),
            f"gru.bias_hh_l{layer}": (3 * u,),
        }
    return wanted


def _check(state: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]], path: Path) -> None:
    wrong = [f"{name} is missing" for name in wanted if name not in state]
    wrong += [f"{name} is unknown" for name in state if name not in wanted]
    wrong += [
        f"{name} is {list(state[name].shape)}, not {list(shape)}"
        for name, shape in wanted.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    if wrong:
        more = f", and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise Mismatch(f"{path} is not what its arguments say: {'; '.join(wrong[:5])}{more}")
    if bad := [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]:
        raise Mismatch(f"{path}: {', '.join(bad[:5])} is not finite")


def _channels(n: int) -> tuple[str, ...]:
    """Return the names of threshold crossings, and of spike-band powers behind them."""
    return tuple(f"{what}-{i:03d}" for what in ("tx", "sbp") for i in range(n // 2))


def _check_recipe(shape: GruShape, decoder: Speech) -> None:
    for name in ("units", "layers", "patch", "stride", "reduced"):
        has, wants = getattr(shape, name), getattr(decoder, name)
        if has != wants:
            raise Mismatch(f"the checkpoint has {name} = {has}; the session has {wants}")
