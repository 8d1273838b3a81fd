"""A decoder of speech follows the days by what its language makes of what it hears."""

from __future__ import annotations

from dataclasses import dataclass

from decoders.adapting.adaptation import Ground, Learner
from decoders.decoder import Nudged, Tunable
from decoders.speech.following import Following
from decoders.speech.gate import Gate
from decoders.speech.order import Method, Terms
from decoders.stage import Mismatch

__all__ = ["SpeechRecalibration"]


@dataclass(frozen=True)
class SpeechRecalibration:
    """Tune the day's layer to the newest utterances, beside the session that runs.

    The labels are what the language made of each utterance (CORP: Fan et al., "Plug-and-play
    stability for intracortical brain-computer interfaces", NeurIPS 2023), or what somebody said it
    was; one that was called wrong teaches nothing. A process of low priority learns from the older
    ones. The new weights must be nearer to the labels of the newest, which they were not taught;
    then they take over in the next silence. Where too few labels count, rows alone bring the
    network to the day, if the language hears it better then. Wants a decoder of the kind `speech`,
    and a ``[language]``.

    Parameters
    ----------
    method
        ``"recalibration"``, or ``"test_time"``: one step of the gradient on masked copies of the
        newest utterance alone (Feghhi et al., "Time-masked transformers with lightweight test-time
        adaptation for neural speech decoding", NeurIPS 2025).
    every
        Utterances from one attempt to the next; 0: 20, or 1 with ``"test_time"``.
    keep
        How many of the newest are kept to learn from.
    proving
        How many of the newest that count are not learned from, but proved on.
    margin
        How much nearer to their labels the new weights must be, in edits over phonemes.
    confidence, most_unlike, phonemes, fewest
        Which labels count, see ``bci calibrate --pseudo-labels``: the language's least confidence;
        the most that the network's own path may differ, in edits over phonemes (of new weights on
        average, too); the fewest phonemes; the fewest labels to learn from. What somebody has told
        needs none of it.
    most_change
        What is learned at once may not move by more than this part of its size.
    copies, step
        Of ``"test_time"``: how many masked copies, and how far the step goes, as a part of the
        size of the day's layer.
    pause_s, silence
        When weights may change: after a silence so long, of steps as silent as this.
    """

    method: Method = "recalibration"
    every: int = 0
    keep: int = 60
    proving: int = 8
    margin: float = 0.01
    confidence: float = 0.0
    most_unlike: float = 0.4
    phonemes: int = 6
    fewest: int = 8
    most_change: float = 1.0
    copies: int = 32
    step: float = 0.01
    pause_s: float = 0.8
    silence: float = 0.9

    def __post_init__(self) -> None:
        least = self.proving + (1 if self.method == "test_time" else self.fewest)
        if self.every < 0 or self.proving < 1 or self.fewest < 2 or self.keep < least:
            raise ValueError(
                f"it needs every >= 0, proving >= 1, fewest >= 2 and keep >= {least}, to learn "
                f"from and to prove on; it has every = {self.every}, proving = {self.proving}, "
                f"fewest = {self.fewest}, keep = {self.keep}"
            )
        if not (self.margin >= 0 and 0 <= self.confidence < 1 and self.most_unlike > 0):
            raise ValueError(
                "it needs margin >= 0, 0 <= confidence < 1 and most_unlike > 0; it has margin = "
                f"{self.margin}, confidence = {self.confidence}, most_unlike = {self.most_unlike}"
            )
        if self.copies < 1 or not (self.step > 0 and self.most_change > 0):
            raise ValueError(
                "it needs copies >= 1, step > 0 and most_change > 0; it has copies = "
                f"{self.copies}, step = {self.step}, most_change = {self.most_change}"
            )
        if not (0 < self.pause_s <= 10 and 0.5 < self.silence < 1):
            raise ValueError(
                "it needs 0 < pause_s <= 10 and 0.5 < silence < 1; it has pause_s = "
                f"{self.pause_s}, silence = {self.silence}"
            )

    def start(self, ground: Ground) -> Learner:
        """Start to follow what is said.

        Raises
        ------
        Mismatch
            It is no decoder of speech that can be tuned.
        """
        wanted = Nudged if self.method == "test_time" else Tunable
        if ground.decoder.task != "speech" or not isinstance(ground.decoder, wanted):
            raise Mismatch(
                f"speech_recalibration with {self.method} wants a decoder of speech that can be "
                "tuned, such as speech"
            )
        gate = Gate(self.confidence, self.most_unlike, self.phonemes, self.fewest)
        terms = Terms(
            self.method,
            gate,
            self.proving,
            self.margin,
            self.most_change,
            self.copies,
            self.step,
        )
        every = self.every or (1 if self.method == "test_time" else 20)
        return Following(ground, terms, every, self.keep, self.pause_s, self.silence)
