"""Networks that say phonemes of sentences: trained with CTC, on stretches as a live run has them.

A live run carries its state through silence and from sentence to sentence. So an example is a
sentence with the silence before it, and often with one or more sentences before that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from decoders.decoder import Training
from decoders.networks.speech_gru import Utterances, n_steps
from decoders.networks.standard import DayStandards
from decoders.speech.ctc import greedy
from decoders.speech.phoneme_errors import distance
from decoders.speech.spoken_sentences import SpokenSentence, held_out, spoken_sentences
from decoders.stage import Mismatch
from decoders.training.journal import Journal
from decoders.training.loop import Objective, Schedule, train

__all__ = ["Disturbance", "Patches", "check_lengths", "train_spoken"]

# The error decides; where two epochs have the same, the loss does.
_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class Patches:
    """How rows are cut to steps: `patch` rows each, `stride` apart."""

    patch: int
    stride: int

    def steps(self, n_rows: int) -> int:
        """Return how many steps are complete after so many rows."""
        return n_steps(n_rows, self.patch, self.stride)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is done to rows while a network learns from them, after the public baseline.

    Parameters
    ----------
    noise
        Deviation of what is added to each number, in deviations of the feature.
    offset
        The same of what is added to a feature over a whole example.
    hidden
        Share of the rows that are hidden, in spans of `span` (Park et al., "SpecAugment",
        Interspeech 2019).
    span
        Rows of a span.
    sentences
        Of how many consecutive sentences an example is made at most.
    """

    noise: float = 0.0
    offset: float = 0.0
    hidden: float = 0.0
    span: int = 14
    sentences: int = 1

    def disturb(self, rows: Tensor) -> Tensor:
        """Return (n, n_rows, n_features), disturbed."""
        if self.noise:
            rows = rows + self.noise * torch.randn_like(rows)
        if self.offset:
            rows = rows + self.offset * torch.randn(len(rows), 1, rows.shape[2])
        if self.hidden:
            begins = torch.rand(rows.shape[:2]) < self.hidden / self.span
            reach = nn.functional.pad(begins.float(), (self.span - 1, 0))
            shown = nn.functional.max_pool1d(reach.unsqueeze(1), self.span, 1)[:, 0] == 0
            rows = rows * shown.unsqueeze(2)
        return rows


def check_lengths(found: list[SpokenSentence], patches: Patches) -> None:
    """Refuse sentences that are too short for what is said in them.

    Raises
    ------
    Mismatch
        Says which, with both numbers.
    """
    for number, one in enumerate(found, 1):
        steps, names = patches.steps(one.end - one.first), one.phonemes
        needed = len(names) + int((np.diff(names) == 0).sum())
        if not len(names) or steps < needed:
            raise Mismatch(
                f"sentence {number} of {len(found)} has {len(names)} phonemes, which need "
                f"{max(1, needed)} steps; its {one.end - one.first} rows hold {steps}, of "
                f"{patches.patch} rows each {patches.stride} rows. Leave the sentence out, let "
                "[sentences] after_s be longer, or use a smaller stride"
            )


def train_spoken(
    network: nn.Module,
    standard: DayStandards,
    training: Training,
    patches: Patches,
    disturbance: Disturbance,
    schedule: Schedule,
    validation: float,
    journal: Journal,
    *,
    days: tuple[int, ...],
    judged_by_loss: bool = False,
) -> float:
    """Train `network` in place on the sentences of a training; call it within `reproducible`.

    Parameters
    ----------
    network
        Turns `Utterances` of standardized rows into (n, n_steps, n_classes) scores.
    standard
        Brings rows to deviations of their day.
    training
        The sentences.
    patches, disturbance, schedule
        How rows are cut, what is done to them, and how long.
    validation
        Share of each session's sentences, the last ones, that say when to stop; 0: all are learned
        from, and judged by.
    journal
        As in `decoders.training.loop.train`.
    days
        The sessions, in the order of the network's day layers.
    judged_by_loss
        Too few sentences are held out for an error rate.

    Returns
    -------
    The least error, or loss, on the held-out part.

    Raises
    ------
    Mismatch
        There are fewer than two sentences, or one is too short for what is said in it.
    """
    found = spoken_sentences(training)
    if len(found) < 2:
        raise Mismatch(
            f"{len(found)} sentence is there; at least 2 are needed to learn from one and to be "
            "checked on another. Record more"
        )
    check_lengths(found, patches)
    of_day = np.zeros(len(training.features), np.int64)
    for number, session in enumerate(days):
        of_day[training.is_session(session)] = number
    rows = standard(
        torch.from_numpy(training.features.astype(np.float32)), torch.from_numpy(of_day)
    )
    fitting = checking = found
    if validation:
        held = held_out(found, validation)
        fitting = [u for u, is_out in zip(found, held, strict=True) if not is_out]
        checking = [u for u, is_out in zip(found, held, strict=True) if is_out]
    typical = float(np.mean([len(u.phonemes) for u in checking]))
    objective = Objective(
        _loss,
        error=None if judged_by_loss else _error_rate(typical),
        error_name="loss" if judged_by_loss else "phoneme error rate",
    )
    return train(
        network,
        _Sentences(rows, fitting, patches, disturbance, days),
        _Sentences(rows, checking, patches, None, days),
        objective,
        schedule,
        journal=journal,
        name="network",
    )


class _Sentences:
    """Examples: a sentence and those before it, as many in each of a batch."""

    def __init__(
        self,
        rows: Tensor,
        found: list[SpokenSentence],
        patches: Patches,
        disturbance: Disturbance | None,
        days: tuple[int, ...],
    ) -> None:
        self._rows, self._found, self._patches = rows, found, patches
        self._disturbance = disturbance
        self._days = {session: number for number, session in enumerate(days)}

    def __len__(self) -> int:
        return len(self._found)

    def batch(self, at: NDArray[np.int64]) -> Any:
        disturbance = self._disturbance
        more = 0
        if disturbance is not None:
            more = int(torch.randint(disturbance.sentences, ()))
        parts = [self._part(int(number), more) for number in at]
        lengths = [len(rows) for rows, _ in parts]
        rows = nn.utils.rnn.pad_sequence([rows for rows, _ in parts], batch_first=True)
        if disturbance is not None:
            rows = disturbance.disturb(rows)
        days = torch.tensor([self._days[self._found[number].session] for number in at])
        spoken = [torch.from_numpy(names) for _, names in parts]
        return Utterances(rows, days), (
            nn.utils.rnn.pad_sequence(spoken, batch_first=True),
            torch.tensor([self._patches.steps(n) for n in lengths]),
            torch.tensor([len(names) for names in spoken]),
        )

    def _part(self, number: int, more: int) -> tuple[Tensor, NDArray[np.int64]]:
        """Return the rows and the phonemes of a sentence and up to `more` before it."""
        begin = number
        while begin > number - more and self._follows(begin):
            begin -= 1
        parts = self._found[begin : number + 1]
        first = parts[0].first
        if self._disturbance is not None:
            # A run may begin at any moment of the silence; patches, then, at any of its rows.
            first += int(torch.randint(parts[0].silent + 1, ()))
        return self._rows[first : parts[-1].end], np.concatenate([p.phonemes for p in parts])

    def _follows(self, number: int) -> bool:
        return number > 0 and self._found[number].follows(self._found[number - 1])


def _losses(said: Tensor, meant: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Return of each example the CTC loss (Graves et al., ICML 2006), a phoneme."""
    spoken, steps, lengths = meant
    likely = nn.functional.log_softmax(said, dim=2).transpose(0, 1)
    # A cut in the silence can leave too few steps; such an example teaches nothing.
    lost: Tensor = nn.functional.ctc_loss(
        likely, spoken, steps, lengths, reduction="none", zero_infinity=True
    )
    return lost / lengths


def _loss(said: Tensor, meant: Any) -> Tensor:
    return _losses(said, meant).mean()


def _error_rate(typical: float) -> Callable[[Tensor, Any], float]:
    """Return what judges a batch; of batches together it is the edits over all phonemes.

    Parameters
    ----------
    typical
        Phonemes of an example, on average over all.
    """

    def rate(said: Tensor, meant: Any) -> float:
        spoken, steps, lengths = (part.numpy() for part in meant)
        wrong = [
            distance(names[:length], greedy(scores[:n]))
            for scores, names, n, length in zip(said.numpy(), spoken, steps, lengths, strict=True)
        ]
        return float(np.mean(wrong)) / typical + _TIE * float(_loss(said, meant))

    return rate
