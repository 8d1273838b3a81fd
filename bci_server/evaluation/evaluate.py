"""The live path over recordings, as fast as it can: how good it is, and how quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from bci_server.evaluation.speech_tally import SpeechTally
from bci_server.evaluation.tally import ClassTally, ContinuousTally, Controls
from bci_server.wire import DecoderName
from decoders.artifact import Artifact
from decoders.decoder import Decoder
from decoders.gathering import LeftOut, Progress, open_ending, read_all
from decoders.output_hash import OutputHash
from decoders.pipeline import Decoded, Pipeline, Run
from decoders.speech.sentences import Sentences
from decoders.stage import Mismatch
from devices.clock import MONOTONIC, Clock
from devices.device import Device, Stream
from devices.signal import Chunk, Marker

__all__ = ["Controls", "Evaluation", "evaluate", "evaluate_each"]

_Tally = ClassTally | ContinuousTally | SpeechTally


class Evaluation(msgspec.Struct, frozen=True):
    """How a model did.

    Parameters
    ----------
    decoder
        Which model.
    recordings
        What it ran over, as the devices name themselves.
    n_trials
        Whole trials, or sentences, that were scored; 0 for a continuous decoder.
    metrics
        The score, ``chance`` and ``ci95``, and more: see `decoders.scoring.scores`. For classes
        also ``cue_to_decision_s`` and ``false_activations``; for speech see
        `bci_server.evaluation.speech_tally.SpeechTally.score`.
    latency_ms
        ``p50`` and ``p99`` of the time that one block took to decode.
    real_time_factor
        Seconds of signal for each second that the whole took.
    outputs_sha256
        See `decoders.output_hash`.
    """

    decoder: DecoderName
    recordings: tuple[str, ...]
    n_trials: int
    metrics: dict[str, Any]
    latency_ms: dict[str, float]
    real_time_factor: float
    outputs_sha256: str


def evaluate(
    artifact: Artifact,
    pipeline: Pipeline,
    decoder: Decoder,
    recordings: Sequence[Device],
    target: Sequence[str] = (),
    *,
    controls: Controls | None = None,
    progress: Progress | None = None,
    clock: Clock = MONOTONIC,
) -> Evaluation:
    """Decode recordings through the very code that runs live, and score it.

    Parameters
    ----------
    artifact, pipeline, decoder
        The fitted model, and the session's recipes; they must fit.
    recordings
        What to run over, each from its start to its end; give them ``speed = inf``.
    target
        For a continuous decoder, which channels of the truth it says; empty: the model's own.
    controls
        Thresholds, and ways to spoil the truth that a sound evaluation must answer with chance.
    progress
        Is told how far it is.
    clock
        What the latency is measured with.

    Raises
    ------
    DeviceError
        A recording cannot be read.
    Mismatch
        The model, the session and the recordings do not fit, or there is nothing to score.
    """
    (result,) = evaluate_each(
        artifact,
        pipeline,
        decoder,
        recordings,
        target,
        controls=[controls or Controls()],
        progress=progress,
        clock=clock,
    )
    return result


def evaluate_each(
    artifact: Artifact,
    pipeline: Pipeline,
    decoder: Decoder,
    recordings: Sequence[Device],
    target: Sequence[str] = (),
    *,
    controls: Sequence[Controls],
    progress: Progress | None = None,
    clock: Clock = MONOTONIC,
) -> list[Evaluation]:
    """Decode recordings once, and score what came out under each of `controls`.

    Each result is what `evaluate` gives with those controls; see there for the rest.
    """
    from threadpoolctl import threadpool_limits

    if not recordings:
        raise Mismatch("there is no recording to evaluate on; name at least one")
    pipeline = pipeline.in_memory()
    tallies = [_tally(artifact, pipeline, decoder, tuple(target), each) for each in controls]
    passing = _Passing(artifact, tallies, clock, progress)
    # As live: threads of the linear algebra library sum in another order.
    with threadpool_limits(limits=1):
        for device in recordings:
            with open_ending(device, clock) as stream:
                passing.over(stream, artifact.run(stream.signal, pipeline, decoder))
        return passing.results()


def _tally(
    artifact: Artifact,
    pipeline: Pipeline,
    decoder: Decoder,
    target: tuple[str, ...],
    controls: Controls,
) -> _Tally:
    if decoder.task == "speech":
        language = None if pipeline.language is None else pipeline.language.load()
        return SpeechTally(pipeline.sentences or Sentences(), artifact.labels, controls, language)
    if decoder.task == "classes":
        if pipeline.trials is None:
            raise Mismatch("decisions are scored by trial; the session has no [trials]")
        return ClassTally(
            pipeline.trials, artifact.labels, controls, pipeline.uncued, pipeline.speller
        )
    return ContinuousTally(target or artifact.labels, controls)


@dataclass(slots=True)
class _Block:
    decoded: Decoded
    seconds: float


class _Passing:
    """Feeds recordings to runs, and keeps the time."""

    def __init__(
        self,
        artifact: Artifact,
        tallies: Sequence[_Tally],
        clock: Clock,
        progress: Progress | None,
    ) -> None:
        self._artifact = artifact
        self._tallies = tallies
        self._clock = clock
        self._progress = progress
        self._hash = OutputHash()
        self._names: list[str] = []
        self._language = ""
        self._block_s: list[float] = []
        self._signal_s = 0.0
        self._begun_s = clock.now()

    def over(self, stream: Stream, run: Run) -> None:
        """Take one recording to its end."""
        self._names.append(stream.identity or type(stream).__name__)
        self._language = run.language
        for tally in self._tallies:
            tally.begin(stream, run.signal.rate_hz)
        left_out = LeftOut()
        for chunk, markers, truth in read_all(stream):
            if truth is not None:
                for tally in self._tallies:
                    tally.truth(truth)
            for block in self._feed(run, chunk, markers):
                self._block_s.append(block.seconds)
                for output in block.decoded.outputs:
                    self._hash.add(block.decoded.moment.sample, output)
                for tally in self._tallies:
                    tally.take(block.decoded)
                left_out.add(block.decoded.bad_channels)
            self._signal_s += len(chunk) / run.signal.rate_hz
            if self._progress is not None:
                self._progress("decoding", self._signal_s)
        for tally in self._tallies:
            tally.end()
        left_out.warn(self._names[-1])

    def _feed(self, run: Run, chunk: Chunk, markers: tuple[Marker, ...]) -> list[_Block]:
        blocks = []
        feeding = run.feed(chunk, markers)
        before_s = self._clock.now()
        for decoded in feeding:
            blocks.append(_Block(decoded, self._clock.now() - before_s))
            before_s = self._clock.now()
        return blocks

    def results(self) -> list[Evaluation]:
        """Score what was decoded."""
        wall_s = self._clock.now() - self._begun_s
        if not self._block_s:
            raise Mismatch("the recordings hold not one whole block; nothing was decoded")
        return [self._result(tally, wall_s) for tally in self._tallies]

    def _result(self, tally: _Tally, wall_s: float) -> Evaluation:
        n_trials, metrics = tally.score()
        p50, p99 = np.percentile(np.array(self._block_s) * 1e3, [50, 99])
        model = self._artifact
        return Evaluation(
            decoder=DecoderName(
                model.kind, model.versions.get("bci-server", ""), model.hash, self._language
            ),
            recordings=tuple(self._names),
            n_trials=n_trials,
            metrics=metrics,
            latency_ms={"p50": float(p50), "p99": float(p99)},
            real_time_factor=self._signal_s / wall_s if wall_s > 0 else 0.0,
            outputs_sha256=self._hash.hexdigest(),
        )
