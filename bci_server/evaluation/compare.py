"""Two models over one recorded session: where they agree, how good and how quick each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from bci_server.config import Session, with_recipes
from bci_server.evaluation.tally import ClassTally, ContinuousTally, Controls
from bci_server.replay import passes
from bci_server.wire import DecoderName
from decoders.artifact import Artifact
from decoders.gathering import Progress
from decoders.output import Command, Prediction, Voice
from decoders.pipeline import Decoded
from decoders.stage import Mismatch
from devices.adapters.replay import Replay, ReplayStream
from devices.clock import MONOTONIC, Clock
from devices.signal import Chunk

__all__ = ["Comparison", "Side", "compare"]


class Side(msgspec.Struct, frozen=True):
    """How one model did.

    Parameters
    ----------
    decoder
        Which it is.
    metrics
        Its score, as `bci_server.evaluation.evaluate` gives it; None where nobody knows what was
        meant.
    no_score
        Why there is none.
    latency_ms
        ``p50`` and ``p99`` of the time that one block took to decode.
    """

    decoder: DecoderName
    metrics: dict[str, Any] | None
    no_score: str
    latency_ms: dict[str, float]


class Comparison(msgspec.Struct, frozen=True):
    """What came of a comparison.

    Parameters
    ----------
    sides
        The models, in the order that they were given.
    agreement
        ``blocks``: of how many blocks both said something. For classes ``same_label``, the part of
        them of which both found the same class likeliest, and ``mean_difference`` of the
        probabilities. For commands ``mean_difference`` and ``correlation`` of the values.
    """

    sides: tuple[Side, Side]
    agreement: dict[str, float]


def compare(
    device: Replay,
    session: Session,
    models: tuple[Artifact, Artifact],
    *,
    progress: Progress | None = None,
    clock: Clock = MONOTONIC,
) -> Comparison:
    """Decode a recorded session with two models at once.

    Raises
    ------
    DeviceError
        The recording cannot be read.
    Mismatch
        A model does not fit it, or they say different kinds of things.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), device.open(clock) as stream:
        sides = tuple(_Side(model, session, stream, clock) for model in models)
        if sides[0].task != sides[1].task or set(models[0].labels) != set(models[1].labels):
            raise Mismatch(
                f"the models say different things: {sides[0].task} of "
                f"{', '.join(models[0].labels)}; {sides[1].task} of {', '.join(models[1].labels)}"
            )
        n_samples = 0
        for chunk in passes(stream):
            n_samples += len(chunk)
            if progress is not None:
                progress("comparing", n_samples / stream.signal.rate_hz)
            _take(sides, stream, chunk)
        first, second = sides
        return Comparison((first.result(), second.result()), _agreement(first, second))


def _take(sides: Sequence[_Side], stream: ReplayStream, chunk: Chunk) -> None:
    markers, events = stream.take_markers(), stream.take_events()
    truth = stream.take_truth() if stream.truth_signal is not None else None
    for side in sides:
        side.take(chunk, markers, events, truth)


class _Side:
    def __init__(
        self, model: Artifact, session: Session, stream: ReplayStream, clock: Clock
    ) -> None:
        session = with_recipes(session, model)
        self.task = session.decoder.task
        self.said: dict[int, dict[str, float]] = {}
        self._model = model
        self._run = model.run(stream.signal, session.pipeline, session.decoder)
        self._clock = clock
        self._block_s: list[float] = []
        self._tally, self._no_score = _tally(session, model, stream)
        if self._tally is not None:
            try:
                self._tally.begin(stream, self._run.signal.rate_hz)
            except Mismatch as e:
                self._tally, self._no_score = None, f"no score: {e}"

    def take(self, chunk: Chunk, markers: Any, events: Any, truth: Chunk | None) -> None:
        if truth is not None and self._tally is not None:
            self._tally.truth(truth)
        before_s = self._clock.now()
        for decoded in self._run.feed(chunk, markers, events):
            self._block_s.append(self._clock.now() - before_s)
            self._note(decoded)
            before_s = self._clock.now()

    def _note(self, decoded: Decoded) -> None:
        if self._tally is not None:
            self._tally.take(decoded)
        for output in decoded.outputs:
            match output:
                case Prediction():
                    values = output.probabilities
                    names = output.labels
                case Command() | Voice():
                    names, values = output.names, output.values
                case _:
                    continue
            said = dict(zip(names, map(float, values), strict=True))
            self.said[decoded.moment.sample] = said

    def result(self) -> Side:
        metrics = None
        if self._tally is not None:
            try:
                self._tally.end()
                metrics = self._tally.score()[1]
            except Mismatch as e:
                self._no_score = f"no score: {e}"
        if not self._block_s:
            raise Mismatch("the recording holds not one whole block; nothing was decoded")
        p50, p99 = np.percentile(np.array(self._block_s) * 1e3, [50, 99])
        model = self._model
        return Side(
            DecoderName(model.kind, model.versions.get("bci-server", ""), model.hash),
            metrics,
            self._no_score,
            {"p50": float(p50), "p99": float(p99)},
        )


def _tally(
    session: Session, model: Artifact, stream: ReplayStream
) -> tuple[ClassTally | ContinuousTally | None, str]:
    if session.decoder.task == "classes":
        if session.pipeline.trials is None:
            return None, "no score: the session has no [trials]"
        return ClassTally(session.pipeline.trials, model.labels, Controls()), ""
    if stream.truth_signal is None:
        return None, "no score: the recording has no truth"
    target = session.target.channels if session.target is not None else ()
    return ContinuousTally(target or model.labels, Controls()), ""


def _agreement(first: _Side, second: _Side) -> dict[str, float]:
    both = sorted(first.said.keys() & second.said.keys())
    if not both:
        return {"blocks": 0.0}
    names = sorted(first.said[both[0]])
    a = np.array([[first.said[s][n] for n in names] for s in both])
    b = np.array([[second.said[s][n] for n in names] for s in both])
    agreement = {"blocks": float(len(both)), "mean_difference": float(np.abs(a - b).mean())}
    if first.task == "classes":
        agreement["same_label"] = float((a.argmax(axis=1) == b.argmax(axis=1)).mean())
    elif a.std() > 0 and b.std() > 0:
        agreement["correlation"] = float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    return agreement
