"""A decoder written for the FALCON benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_width
from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.output import Meaning, Output, continuous
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["Falcon"]

_GROUP = "bci_server.falcon"


class _BciDecoder(Protocol):
    """The interface of ``falcon_challenge.interface.BCIDecoder``, as far as it is used."""

    def set_batch_size(self, batch_size: int) -> None: ...
    def reset(self, dataset_tags: list[str]) -> None: ...
    def predict(self, neural_observations: NDArray[np.float64]) -> NDArray[np.floating]: ...
    def observe(self, neural_observations: NDArray[np.float64]) -> None: ...
    def on_done(self, dones: NDArray[np.bool_]) -> None: ...


@dataclass(frozen=True)
class Falcon:
    """Continuous values, as a decoder says them that was written for FALCON.

    Karpowicz, Ye et al., "Few-shot algorithms for consistent neural decoding (FALCON) benchmark",
    NeurIPS 2024; the interface is that of their package ``falcon_challenge``: ``reset``,
    ``predict``, ``observe``, ``on_done``. It comes fitted: nothing is fitted here, and
    ``bci calibrate`` says how well it does. Each block's last row is one call of ``predict`` for a
    batch of one; rows before it go to ``observe``. It runs in the process that decodes, with
    whatever it imports; whether a replay gives the same is up to it.

    Parameters
    ----------
    name
        Which one: the name of an entry point in the group ``bci_server.falcon`` of an installed
        package, which is its class, or a function that makes one. Nothing else is imported.
    options
        What it is made with, by name.
    dataset_tag
        What ``reset`` is told: the session, as the benchmark tags it.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    name: str
    options: Mapping[str, str | float | bool] = field(default_factory=dict)
    dataset_tag: str = ""
    mode: Meaning = "velocity"

    def fit(self, training: Training) -> Weights:
        """Return the numbers of features and values that it was seen to take and to give."""
        if len(training.features) < 2:
            raise Mismatch(f"{len(training.features)} rows are too few to see how well it does")
        given = self._ask(self._made(), training.features[0])
        if len(given) != len(training.labels):
            raise Mismatch(
                f"{self.name!r} gives {len(given)} values; the target has "
                f"{len(training.labels)} ({', '.join(training.labels)}). Name its channels under "
                "[target], in its order"
            )
        return {"shape": np.array([training.features.shape[1], len(given)])}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run: make one, and reset it."""
        check_width(signal.n_channels, int(weights["shape"][0]))
        return _Running(self._made(), self.mode, labels, unit)

    def _made(self) -> _BciDecoder:
        found = {e.name: e for e in entry_points(group=_GROUP)}
        if self.name not in found:
            raise Mismatch(
                f"no installed package has an entry point {self.name!r} in the group {_GROUP}; "
                f"there is: {', '.join(sorted(found)) or 'none'}"
            )
        try:
            made: Any = found[self.name].load()(**self.options)
        except (ImportError, AttributeError, TypeError, ValueError, OSError) as e:
            raise Mismatch(f"the FALCON decoder {self.name!r} cannot be made: {e}") from e
        made.set_batch_size(1)
        made.reset(dataset_tags=[self.dataset_tag])
        decoder: _BciDecoder = made
        return decoder

    @staticmethod
    def _ask(decoder: _BciDecoder, row: NDArray[np.float64]) -> NDArray[np.floating]:
        return np.asarray(decoder.predict(row[np.newaxis].astype(np.float64))).reshape(-1)


class _Running:
    def __init__(
        self, decoder: _BciDecoder, mode: Meaning, labels: tuple[str, ...], unit: str
    ) -> None:
        self._decoder, self._mode, self._labels, self._unit = decoder, mode, labels, unit
        self._going_on = np.zeros(1, np.bool_)

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        rows = chunk.values.astype(np.float64)
        for row in rows[:-1]:
            self._decoder.observe(row[np.newaxis])
            self._decoder.on_done(self._going_on)
        values = np.asarray(self._decoder.predict(rows[-1:]), np.float64).reshape(-1)
        self._decoder.on_done(self._going_on)
        return (continuous(self._mode, self._labels, tuple(values.tolist()), self._unit),)
