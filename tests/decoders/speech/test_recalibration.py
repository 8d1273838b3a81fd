from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.gathering import Gathered
from decoders.output import Output, Prediction
from decoders.speech.gate import Gate
from decoders.speech.pseudo_labels import hear, labelled
from decoders.speech.recalibration import recalibrate
from decoders.speech.utterance import Utterance
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal
from devices.speech.phonemes import CLASSES, phoneme_ids
from devices.speech.pronunciation import phonemes_of

SIGNAL = Signal(50.0, CLASSES, "1")
TEXTS = ["yes please", "no thank you", "good morning", "come back home", "what is that"] * 4


def recording(texts: Sequence[str] = TEXTS) -> Gathered:
    """Return rows that each name a class, silence between sentences."""
    named = [k for text in texts for k in [*[0] * 12, *phoneme_ids(phonemes_of(text)), *[0] * 3]]
    n = len(named)
    return Gathered(
        SIGNAL,
        SIGNAL,
        SIGNAL,
        np.eye(len(CLASSES))[named],
        np.arange(n),
        np.arange(n) / 50.0,
        np.zeros(n, np.int64),
        (),
        (),
        (),
        None,
    )


@dataclass(frozen=True)
class Mapped:
    """Says of a row what a matrix makes of it; tuned, it has the matrix that it is told."""

    tuned: Any = None
    task = "speech"

    def fit(self, training: Training) -> Weights:
        raise NotImplementedError

    def tune(self, training: Training, weights: Weights) -> Weights:
        return {"matrix": self.tuned}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        def say(chunk: Chunk, moment: Moment) -> Sequence[Output]:
            return (Prediction(labels, tuple((chunk.values[-1] @ weights["matrix"]).tolist())),)

        return say


class Listening:
    """A language that knows what was said, or is wrong about it, whatever the network says."""

    def __init__(self, texts: Sequence[str], confidence: float = 0.9) -> None:
        self._texts, self._confidence = deque(texts), confidence
        self._begun, self._quiet, self._newest = -1, 0, 0
        self.utterances: deque[Utterance] = deque(maxlen=5)

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        (heard,) = outputs
        assert isinstance(heard, Prediction)
        self._quiet = self._quiet + 1 if np.argmax(heard.probabilities) == 0 else 0
        if not self._quiet:
            self._newest = moment.sample
            self._begun = moment.sample if self._begun < 0 else self._begun
        elif self._quiet == 3 and self._begun >= 0:
            text = self._texts.popleft()
            self.utterances.append(Utterance(self._begun, self._newest, text, self._confidence))
            self._begun = -1
        return outputs


def language(texts: Sequence[str], confidence: float = 0.9) -> Any:
    """Return one that hears the learning part first, then what is left; each run goes on."""
    runs = {0: 0}

    def start(rate_hz: float, hop: int) -> Listening:
        runs[0] += 1
        return Listening(texts if runs[0] < 2 else texts[15:], confidence)

    return SimpleNamespace(start=start)


TRUE = np.eye(len(CLASSES))
BLURRED = TRUE.copy()
for one, other in (("Y", "W"), ("K", "G"), ("M", "N")):
    BLURRED[CLASSES.index(one)] = TRUE[CLASSES.index(other)]
SHIFTED = np.roll(TRUE, 5, axis=1)
SHIFTED[0] = TRUE[0]
BEFORE = {"matrix": BLURRED}


def test_utterances_are_heard_where_they_are_with_what_the_network_alone_says() -> None:
    heard = hear(Mapped(), {"matrix": TRUE}, language(TEXTS), recording())
    assert [one.text for one in heard] == TEXTS
    assert all(one.label == one.path for one in heard)
    assert heard[0].first == 12
    training = labelled(recording(), heard)
    assert training.spoken is not None
    assert training.spoken[training.spoken[:, 0] == 3, 1].tolist() == list(heard[3].label)
    assert (training.ages == 0).sum() == len(TEXTS)  # type: ignore[union-attr]


def test_what_is_heard_better_takes_over() -> None:
    found = recalibrate(Mapped(TRUE), BEFORE, language(TEXTS), recording(), rounds=1)
    assert found.n_heard == found.n_learned == 15
    assert found.unlike_after == 0.0 < found.unlike_before
    assert np.array_equal(found.weights["matrix"], TRUE)


def test_a_storm_of_wrong_labels_stops_at_the_gate() -> None:
    storm = language(TEXTS[2:] + TEXTS[:2])
    with pytest.raises(Mismatch, match=r"of 15 utterances that were heard, \d are sure enough"):
        recalibrate(Mapped(SHIFTED), BEFORE, storm, recording(), rounds=1)


def test_a_storm_that_the_gate_lets_through_does_not_take_over() -> None:
    gate = Gate(most_unlike=float("inf"))
    with pytest.raises(Mismatch, match=r"with the model of before .* It stays as it is"):
        recalibrate(
            Mapped(SHIFTED), BEFORE, language(TEXTS), recording(), gate, rounds=1, most_change=2
        )


def test_a_model_that_falls_silent_does_not_take_over() -> None:
    silent = np.zeros_like(TRUE)
    silent[:, 0] = 1.0
    with pytest.raises(Mismatch, match="paths of 0 phonemes"):
        recalibrate(Mapped(silent), BEFORE, language(TEXTS), recording(), rounds=1, most_change=9)


def test_labels_that_the_language_is_not_sure_of_do_not_count() -> None:
    with pytest.raises(Mismatch, match=r"0 are sure enough to learn from \(confidence 0.5"):
        recalibrate(
            Mapped(TRUE), BEFORE, language(TEXTS, 0.4), recording(), Gate(confidence=0.5), rounds=1
        )


def test_a_weight_that_moves_too_far_is_refused() -> None:
    with pytest.raises(Mismatch, match=r"matrix moved by \d.\d+ of their size, more than 0.1"):
        recalibrate(Mapped(TRUE), BEFORE, language(TEXTS), recording(), rounds=1, most_change=0.1)


def test_an_utterance_ends_at_a_gap() -> None:
    whole = recording(TEXTS[:4])
    parted = replace(whole, stretches=(np.arange(len(whole.rows)) > 60).astype(np.int64))
    heard = hear(Mapped(), {"matrix": TRUE}, language(TEXTS * 2), parted)
    assert all(parted.stretches[one.first] == parted.stretches[one.last] for one in heard)


@dataclass(frozen=True)
class Settled(Mapped):
    """Is brought to a day by rows alone: then it says what its rows say."""

    def settle(self, rows: NDArray[np.float64], weights: Weights) -> Weights:
        return {"matrix": TRUE}


def test_it_hears_with_what_rows_alone_tell_and_learns_from_there() -> None:
    """As it was, it hears nothing that the gate lets through."""
    before = {"matrix": SHIFTED}
    with pytest.raises(Mismatch, match="0 are sure enough"):
        recalibrate(Mapped(TRUE), before, language(TEXTS), recording(), rounds=1)
    found = recalibrate(Settled(TRUE), before, language(TEXTS), recording(), rounds=1)
    assert found.n_learned == 15
    assert found.unlike_after == 0.0 < found.unlike_before


def test_each_round_learns_from_where_the_first_did() -> None:
    begun: list[Weights] = []

    @dataclass(frozen=True)
    class Watched(Mapped):
        def tune(self, training: Training, weights: Weights) -> Weights:
            begun.append(weights)
            return {"matrix": TRUE}

    learning, runs = TEXTS[:15], iter(range(5))

    def start(rate_hz: float, hop: int) -> Listening:
        return Listening(learning if next(runs) < 3 else TEXTS[15:])

    recalibrate(Watched(), BEFORE, SimpleNamespace(start=start), recording(), rounds=3)  # type: ignore[arg-type]
    assert [weights["matrix"] is BLURRED for weights in begun] == [True, True, True]
