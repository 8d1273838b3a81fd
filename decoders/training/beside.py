"""Weights made beside a running session: orders are worked on in a process of low priority.

Errors::

    TrainingFailed    the process ended without weights; says how
    Mismatch          too little was sure, or what was learned is no better
"""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from decoders.adapting.version_folder import VersionFolder
from decoders.adapting.versions import weights_hash
from decoders.artifact import Artifact
from decoders.decoder import Decoder
from decoders.speech.order import Kept, Made, Order, Terms
from decoders.speech.retuning import retuned
from decoders.speech.running import Language
from decoders.stage import Mismatch
from decoders.training.job import TrainingFailed
from decoders.training.recipe_text import RecipeText
from decoders.training.worker_process import last_words, start
from devices.signal import Signal

__all__ = ["Beside", "fill", "make", "read"]

_CHANGED = "changed "


class _Words(msgspec.Struct, frozen=True):
    begin: int
    text: str
    confidence: float
    is_told: bool


class _Paper(msgspec.Struct, frozen=True):
    """An order, but for its arrays."""

    recipe: RecipeText
    language: RecipeText | None
    model: str
    rate_hz: float
    channels: tuple[str, ...]
    unit: str
    kept: tuple[_Words, ...]
    terms: Terms
    parent: str
    words: tuple[str, ...]


class _Said(msgspec.Struct, frozen=True):
    """The worker's last word."""

    refused: str = ""
    hash: str = ""
    numbers: tuple[int, int, int, float, float] = (0, 0, 0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Read:
    """An order as the worker finds it."""

    decoder: Decoder
    language: Language | None
    model: Path
    order: Order


def make(
    decoder: Decoder,
    artifact: Artifact,
    versions: VersionFolder,
    order: Order,
    language: Language | None = None,
) -> Made:
    """Make the weights that an order asks for, in this process, and keep them beside the model.

    The language is loaded only where too few labels count.

    Raises
    ------
    Mismatch
        What was learned is no better, or the session decodes with another model than this.
    OSError
        The weights cannot be kept.
    """
    found = weights_hash({**artifact.weights, **order.changed})
    if found != order.parent:
        raise Mismatch(
            f"the version that decodes is {order.parent}; with the model as it is on the disk now "
            f"it would be {found}: restart the session"
        )
    made = retuned(decoder, artifact.weights, order, language)
    return replace(made, hash=versions.keep(made.weights))


class Beside:
    """Works on one order at a time, each in a process of its own.

    Parameters
    ----------
    decoder, artifact, model
        The recipe, the model, and its folder.
    language
        The recipe of what hears again where too few labels count; None: nobody does.
    """

    def __init__(
        self, decoder: Decoder, artifact: Artifact, model: Path, language: Language | None = None
    ) -> None:
        self._decoder, self._model, self._language = decoder, model, language
        self._versions = VersionFolder(model, artifact.weights)
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None
        self._is_over = False

    def __call__(self, order: Order) -> Made:
        """Make what is ordered: takes seconds to minutes.

        Raises
        ------
        Mismatch, TrainingFailed, OSError
            See `make`; or the process ended without a word.
        """
        with TemporaryDirectory(prefix="bci-order-") as folder:
            fill(Path(folder), self._decoder, self._model, order, self._language)
            said = self._conduct(Path(folder))
        if said.refused:
            raise Mismatch(said.refused)
        made = self._versions.get(said.hash)
        if made is None:
            raise TrainingFailed(f"the weights {said.hash} that it made are not beside the model")
        return Made(made, *said.numbers, said.hash)

    def stop(self) -> None:
        """End what is being worked on, and take no more."""
        with self._lock:
            self._is_over = True
            if self._worker is not None:
                self._worker.kill()

    def _conduct(self, folder: Path) -> _Said:
        with (folder / "worker.log").open("w+b") as log:
            with self._lock:
                if self._is_over:
                    raise TrainingFailed("the session is over")
                self._worker = start("decoders.training.order_worker", folder, log)
            with self._worker as worker:
                assert worker.stdout is not None
                line = worker.stdout.read()
            if worker.returncode or not line:
                code = worker.returncode
                raise TrainingFailed(f"it ended with exit code {code}: {last_words(log)}")
        try:
            return msgspec.json.decode(line, type=_Said)
        except msgspec.MsgspecError as error:
            raise TrainingFailed(f"its last word cannot be read: {error}") from error


def fill(
    folder: Path, decoder: Decoder, model: Path, order: Order, language: Language | None = None
) -> None:
    """Write an order into a folder, for the worker.

    Raises
    ------
    OSError
        It cannot be written.
    """
    from safetensors.numpy import save_file

    signal = order.features
    words = tuple(_Words(k.begin, k.text, k.confidence, k.is_told) for k in order.kept)
    paper = _Paper(
        RecipeText.of(decoder),
        None if language is None else RecipeText.of(language),
        str(model.absolute()),
        signal.rate_hz,
        signal.channels,
        signal.unit,
        words,
        order.terms,
        order.parent,
        order.words,
    )
    arrays: dict[str, NDArray[Any]] = {
        f"{_CHANGED}{name}": np.ascontiguousarray(array) for name, array in order.changed.items()
    }
    for number, kept in enumerate(order.kept):
        arrays[str(number)] = np.ascontiguousarray(kept.rows)
    save_file(arrays, folder / "order.safetensors")
    (folder / "order.json").write_bytes(msgspec.json.encode(paper))


def read(folder: Path) -> _Read:
    """Read what `fill` wrote."""
    from safetensors.numpy import load_file

    paper = msgspec.json.decode((folder / "order.json").read_bytes(), type=_Paper)
    arrays = load_file(folder / "order.safetensors")
    kept = tuple(
        Kept(arrays[str(n)], w.begin, w.text, w.confidence, w.is_told)
        for n, w in enumerate(paper.kept)
    )
    changed = {n[len(_CHANGED) :]: a for n, a in arrays.items() if n.startswith(_CHANGED)}
    features = Signal(paper.rate_hz, paper.channels, paper.unit)
    order = Order(features, kept, paper.terms, changed, parent=paper.parent, words=paper.words)
    language = None if paper.language is None else paper.language.recipe()
    return _Read(paper.recipe.recipe(), language, Path(paper.model), order)


def serve(folder: Path) -> bytes:
    """Do what is ordered in a folder, as the worker does; return its last word."""
    found = read(folder)
    artifact = Artifact.load(found.model)
    versions = VersionFolder(found.model, artifact.weights)
    try:
        made = make(found.decoder, artifact, versions, found.order, found.language)
    except Mismatch as refused:
        return msgspec.json.encode(_Said(refused=str(refused)))
    numbers = made.n_kept, made.n_learned, made.n_proved, made.before, made.after
    return msgspec.json.encode(_Said(hash=made.hash, numbers=numbers))
