"""From chunks, however they were cut, to outputs: blocks → steps → decoder → decision.

The same code runs live, on replay and in calibration, so their results are equal to the bit. Pure:
no clock, no socket, no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from decoders.adapting.adaptation import Adaptation
from decoders.adapting.adaptive import Adaptive, AdaptiveStart
from decoders.blocks import Block, Blocks, hop_samples
from decoders.deciding.probabilities import Probabilities
from decoders.deciding.speller import Speller
from decoders.deciding.stopping import Stopping
from decoders.deciding.trials import Trials
from decoders.deciding.uncued import Uncued
from decoders.decoder import Decoding, Event, Moment
from decoders.events import Binding
from decoders.lost_channels import Found, LostChannels, Others, Reason, Watch
from decoders.output import Output
from decoders.speech.running import InMemory, Language, Speech
from decoders.speech.sentences import Sentences
from decoders.stage import Chain, Mismatch, Step
from devices.signal import Chunk, Marker, Signal

__all__ = ["Decoded", "Features", "Pipeline", "Run", "StartDecoding"]

StartDecoding = Callable[[Signal], Decoding]
"""Starts a decoding on the signal that the steps put out."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one block gave.

    Parameters
    ----------
    moment
        Where the block ends, and the events that became known with it.
    outputs
        What the decoder said; nothing while the steps fill.
    gap
        True when samples are missing before this block: all state was started anew.
    bad_channels
        Channels that are lost, where that refuses the block. Such a block is not decoded, and what
        follows it starts anew.
    block
        The block's samples, as picked; they hold until the next one.
    lost_channels
        All channels that are lost, and why; those that are not bad were filled in.
    """

    moment: Moment
    outputs: Sequence[Output]
    gap: bool
    bad_channels: tuple[str, ...]
    block: Chunk
    lost_channels: Mapping[str, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Features:
    """What the steps put out for one block; empty while they fill. Holds until the next."""

    moment: Moment
    chunk: Chunk
    gap: bool


@dataclass(frozen=True)
class Pipeline:
    """The recipe: blocks, stages, and the trials that decisions end.

    Parameters
    ----------
    hop_s
        Length of a block in seconds; a whole number of samples is taken.
    channels
        Which channels go in, in this order; empty: all.
    stages
        What turns samples into features.
    trials
        Cued trials; None for a decoder without.
    lost_channels
        What becomes of electrodes that fail; None: blocks with values that are not finite are
        refused.
    adaptation
        How the decoder learns while it runs; None: it does not.
    probabilities
        How probabilities are calibrated; None: they are what the decoder says.
    uncued
        Decisions at any time, without a cue; None: trials end with one.
    speller
        What characters its trials, which are flashes, spell; None: none.
    sentences
        Cued sentences, for a decoder of speech; None for others.
    language
        What turns the phonemes of a decoder of speech to words; None: it says phonemes alone.
    """

    hop_s: float
    channels: tuple[str, ...] = ()
    stages: Chain = field(default_factory=lambda: Chain(()))
    trials: Trials | None = None
    lost_channels: LostChannels | None = None
    adaptation: Adaptation | None = None
    probabilities: Probabilities | None = None
    uncued: Uncued | None = None
    speller: Speller | None = None
    sentences: Sentences | None = None
    language: Language | None = None

    @property
    def stop_error(self) -> float:
        """The share of wrong decisions before their end that is asked for; 0: none are early."""
        if self.speller is not None:
            return self.speller.stop_error
        return 0.0 if self.trials is None else self.trials.stop_error

    def in_memory(self) -> Pipeline:
        """Return the same pipeline with its language loaded, for all runs that it starts.

        Raises
        ------
        ArtifactError
            The language cannot be read.
        """
        if self.language is None or isinstance(self.language, InMemory):
            return self
        return replace(self, language=InMemory(self.language.load(), self.language))

    def start(
        self,
        signal: Signal,
        start_decoding: StartDecoding,
        stopping: Stopping | None = None,
        others: Others | None = None,
    ) -> Run:
        """Start to decode `signal`.

        With `stopping`, trials (or a speller's characters) are decided when it says so;
        `others` fills in lost channels.

        Raises
        ------
        Mismatch
            The signal does not suit the blocks, a stage or the decoder.
        ArtifactError
            The language cannot be read.
        """
        return Run(self, signal, start_decoding, stopping, others)

    def extract(self, signal: Signal, others: Others | None = None) -> Extraction:
        """Start the steps alone, to fit a decoder on what they put out."""
        return Extraction(self, signal, others)


class Extraction:
    """Runs blocks and steps over one stream: the part that fitting and decoding share.

    Attributes
    ----------
    signal
        What comes in, after the choice of channels.
    features
        What the steps put out.
    """

    def __init__(self, pipeline: Pipeline, signal: Signal, others: Others | None = None) -> None:
        self.hop = hop_samples(pipeline.hop_s, signal.rate_hz)
        self._blocks = Blocks(signal, self.hop, pipeline.channels)
        self.signal = self._blocks.signal
        self._watch = Watch(pipeline.lost_channels, self.signal, self.hop, others)
        self._stages = pipeline.stages
        self._binding = Binding(signal.rate_hz, self.hop)
        self._step: Step = self._stages.start(self.signal, self.hop)
        self.features = self._step.signal
        self._stale = False

    def feed(
        self, chunk: Chunk, markers: Iterable[Marker] = (), events: Iterable[Event] = ()
    ) -> Iterator[tuple[Block, Features, Found]]:
        """Take in what was read; yield each completed block, its features, what is lost in it."""
        self._binding.add(markers)
        self._binding.add_bound(events)
        for block in self._blocks.cut(chunk):
            yield self._step_on(block)

    def _step_on(self, block: Block) -> tuple[Block, Features, Found]:
        moment = Moment(block.sample, float(block.chunk.times[-1]), self._binding.reached(block))
        gap = block.chunk.gap
        found = self._watch(block.chunk)
        usable = found.filled if found.reasons else block.chunk
        if gap or (self._stale and usable is not None):
            self._step = self._stages.start(self.signal, self.hop)
            gap = True
        self._stale = usable is None
        out = _nothing(block.chunk, self.features) if usable is None else self._step(usable)
        return block, Features(moment, out, gap), found


class Run:
    """Decodes one stream. What the past has left in it is lost at a gap, and only there."""

    def __init__(
        self,
        pipeline: Pipeline,
        signal: Signal,
        start_decoding: StartDecoding,
        stopping: Stopping | None = None,
        others: Others | None = None,
    ) -> None:
        self._extraction = pipeline.extract(signal, others)
        self.signal = self._extraction.signal
        self.hop = self._extraction.hop
        self._trials = pipeline.trials
        self._stopping = stopping
        self._speller = pipeline.speller
        self._start_decoding = start_decoding
        self._speech: Speech | None = None
        if pipeline.language is not None:
            self._speech = Speech(pipeline.language.load(), self.signal.rate_hz, self.hop)
        self._restart()
        if self._speech is None and self.adaptive is not None and self.adaptive.follows_speech:
            raise Mismatch(
                "a rule of [adaptation] learns from what a language makes of speech; the session "
                "has no [language]"
            )

    @property
    def adaptive(self) -> Adaptive | None:
        """The decoder that learns, with its versions; None for one that does not."""
        start = self._start_decoding
        return start.adaptive if isinstance(start, AdaptiveStart) else None

    @property
    def language(self) -> str:
        """Hash of the language; empty without one."""
        return "" if self._speech is None else self._speech.hash

    def problem_with(self, event: Event) -> str:
        """Return why what is asked of the language cannot be done; empty if it can."""
        if event.kind != "speech":
            return ""
        if self._speech is None:
            return "this session makes no words of speech, so there is nothing to do this to"
        return self._speech.problem_with(event)

    def _restart(self) -> None:
        self._decoding = self._start_decoding(self._extraction.features)
        self._deciding = None
        self._spelling = None
        if self._trials is not None:
            rate_hz, speller = self.signal.rate_hz, self._speller
            of_trials = self._stopping if speller is None else None
            self._deciding = self._trials.start(rate_hz, self.hop, of_trials)
            if speller is not None:
                self._spelling = speller.start(self._trials, rate_hz, self._stopping)

    def feed(
        self, chunk: Chunk, markers: Iterable[Marker] = (), events: Iterable[Event] = ()
    ) -> Iterator[Decoded]:
        """Take in what was read, and yield what each completed block gave."""
        for block, features, found in self._extraction.feed(chunk, markers, events):
            if features.gap:
                self._restart()
                if self._speech is not None:
                    self._speech.restart()
            moment = features.moment
            if self._deciding is not None:
                moment = self._deciding.begin(moment)
            outputs = self._decoding(features.chunk, moment)
            if self._deciding is not None:
                outputs = self._deciding(outputs, moment)
            if self._spelling is not None:
                outputs = self._spelling(outputs, moment)
            if self._speech is not None:
                outputs = self._speech(outputs, moment)
                self._let_it_hear(self._speech)
            bad = tuple(found.reasons) if found.filled is None else ()
            yield Decoded(moment, outputs, features.gap, bad, block.chunk, found.reasons)

    def _let_it_hear(self, speech: Speech) -> None:
        """Tell a decoder that learns from them of utterances that have ended."""
        adaptive = self.adaptive
        if adaptive is None or not adaptive.follows_speech:
            return
        utterance = speech.take_ended()
        if utterance is not None:
            adaptive.hear(utterance)


def _nothing(chunk: Chunk, signal: Signal) -> Chunk:
    return Chunk(chunk.times[:0], np.empty((0, signal.n_channels), np.float32))
