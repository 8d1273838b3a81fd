"""Weights for a running session: what is learned from, what it is proved on, what is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from decoders.decoder import Moment, Training, Weights
from decoders.output import Output, Prediction
from decoders.speech.ctc import edits, greedy
from decoders.speech.gate import Gate
from decoders.speech.order import Kept, Order, Terms
from decoders.speech.retuning import retuned
from decoders.speech.utterance import Utterance
from decoders.stage import Mismatch
from devices.speech.phonemes import CLASSES, phoneme_ids
from devices.speech.pronunciation import phonemes_of
from tests.decoders.speech.test_recalibration import BLURRED, SHIFTED, SIGNAL, TEXTS, TRUE, Mapped

TERMS = Terms(proving=4, gate=Gate(fewest=6))
MODEL: Mapping[str, Any] = {"matrix": BLURRED, "other": np.ones(3)}


def kept(said: str, text: str = "", *, is_told: bool = False, confidence: float = 0.9) -> Kept:
    """Return what was said, and what it was taken for."""
    named = [0] * 12 + [*phoneme_ids(phonemes_of(said))] + [0] * 3
    rows = np.eye(len(CLASSES), dtype=np.float32)[named]
    return Kept(rows, 12, text or said, confidence, is_told)


def order(utterances: list[Kept], terms: Terms = TERMS) -> Order:
    return Order(SIGNAL, tuple(utterances), terms, {})


@dataclass(frozen=True)
class Remembering(Mapped):
    """Remembers what it was taught."""

    taught: Any = None

    def tune(self, training: Training, weights: Weights) -> Weights:
        self.taught.append(training)
        return super().tune(training, weights)

    def nudge(self, training: Training, weights: Weights, *, copies: int, step: float) -> Weights:
        self.taught.append((training, copies, step))
        return {"matrix": self.tuned}


def test_it_learns_from_the_older_and_is_proved_on_the_newest() -> None:
    taught: list[Training] = []
    heard = [kept(text) for text in TEXTS[:12]]
    made = retuned(Remembering(TRUE, taught), MODEL, order(heard))
    assert (made.n_kept, made.n_learned, made.n_proved) == (12, 8, 4)
    assert made.after == 0.0 < made.before
    assert list(made.weights) == ["matrix"]
    (training,) = taught
    spoken = training.spoken
    assert spoken is not None
    assert training.ages is not None
    for number, one in enumerate(heard[:8]):
        assert spoken[spoken[:, 0] == number, 1].tolist() == list(
            phoneme_ids(phonemes_of(one.text))
        )
        rows = training.groups == number
        assert np.array_equal(training.features[rows], one.rows)
        assert training.ages[rows].tolist() == list(range(-12, len(one.rows) - 12))


def test_what_was_changed_before_is_begun_from_and_stays_in_the_file() -> None:
    changed = {"other": np.full(3, 2.0)}
    taught: list[Training] = []
    asked = replace(order([kept(text) for text in TEXTS[:12]]), changed=changed)
    made = retuned(Remembering(TRUE, taught), MODEL, asked)
    assert set(made.weights) == {"matrix", "other"}
    assert np.array_equal(made.weights["other"], changed["other"])


def test_labels_that_are_unlike_what_was_heard_do_not_count_unless_somebody_told_them() -> None:
    wrong = [kept(text, "what nobody has ever said here") for text in TEXTS[:12]]
    with pytest.raises(Mismatch, match=r"of 12 utterances, 0 are sure enough .* 6 are needed, and"):
        retuned(Mapped(TRUE), MODEL, order(wrong))
    taught: list[Training] = []
    unheard = [kept(text) for text in TEXTS[:6]] + [kept("me", " ".join(TEXTS[:5]), is_told=True)]
    unheard += [kept(text) for text in TEXTS[:5]]
    retuned(Remembering(TRUE, taught), MODEL, order(unheard))
    # So short an utterance cannot have held so many phonemes: nothing can be learned from that.
    assert len(np.unique(taught[0].groups)) == 7


def test_told_labels_teach_whatever_was_heard() -> None:
    taught: list[Training] = []
    model = {**MODEL, "matrix": SHIFTED}
    told = [kept(text, is_told=True) for text in TEXTS[:12]]
    made = retuned(Remembering(TRUE, taught), model, order(told, replace(TERMS, most_change=2.0)))
    assert made.n_learned == 8
    assert made.before > 0.9
    assert made.after == 0.0


def test_a_storm_of_told_nonsense_is_refused_with_its_numbers() -> None:
    storm = [
        kept(text, other, is_told=True) for text, other in zip(TEXTS[:12], TEXTS[2:14], strict=True)
    ]
    with pytest.raises(Mismatch, match=r"differ from the labels by 0\.\d+, more than 0\.4; before"):
        retuned(Mapped(TRUE), MODEL, order(storm))


def test_what_is_no_better_by_the_margin_is_refused() -> None:
    heard = [kept(text) for text in TEXTS[:12]]
    with pytest.raises(Mismatch, match=r"by 0\.\d+, which is not 0.01 less; before, \d+ phonemes"):
        retuned(Mapped(BLURRED), MODEL, order(heard))


def test_what_falls_silent_is_refused_however_near() -> None:
    silent = np.zeros_like(TRUE)
    silent[:, 0] = 1.0
    lax = Terms(proving=4, gate=Gate(fewest=6, most_unlike=2.0), most_change=9.0)
    model = {**MODEL, "matrix": np.roll(TRUE, 7, axis=1)}
    told = [kept(text, is_told=True) for text in TEXTS[:12]]
    with pytest.raises(Mismatch, match=r"paths of 0 phonemes differ from the labels by 1.000, too"):
        retuned(Mapped(silent), model, order(told, replace(lax, margin=0.0)))


def test_a_weight_that_moves_too_far_is_refused() -> None:
    heard = [kept(text) for text in TEXTS[:12]]
    with pytest.raises(Mismatch, match=r"matrix moved by \d\.\d+ of their size, more than 0\.1"):
        retuned(Mapped(TRUE), MODEL, order(heard, replace(TERMS, most_change=0.1)))


def test_one_step_learns_from_the_newest_and_is_proved_on_those_before() -> None:
    terms = replace(TERMS, method="test_time", copies=5, step=0.02)
    taught: list[Any] = []
    decoder = Remembering(TRUE, taught)
    heard = [kept(text) for text in TEXTS[:6]]
    made = retuned(decoder, MODEL, order(heard, terms))
    assert (made.n_learned, made.n_proved) == (1, 4)
    ((training, copies, step),) = taught
    assert (copies, step) == (5, 0.02)
    assert np.array_equal(training.features, heard[5].rows)
    doubtful = [*heard[:5], kept(TEXTS[5], "what nobody has ever said here")]
    with pytest.raises(Mismatch, match="the last utterance is not sure enough"):
        retuned(decoder, MODEL, order(doubtful, terms))
    with pytest.raises(Mismatch, match="Mapped cannot take one step"):
        retuned(Mapped(TRUE), MODEL, order(heard, terms))


def test_a_text_that_nobody_can_say_does_not_count() -> None:
    heard = [kept(text) for text in TEXTS[:9]] + [kept("yes please", "§§§", is_told=True)]
    with pytest.raises(Mismatch, match="of 10 utterances, 9 are sure enough"):
        retuned(Mapped(TRUE), MODEL, order(heard))


@dataclass(frozen=True)
class SettlingFirst(Remembering):
    """Rows alone bring it to the day."""

    def settle(self, rows: Any, weights: Weights) -> Weights:
        self.taught.append(rows)
        return {**weights, "matrix": TRUE}

    def tune(self, training: Training, weights: Weights) -> Weights:
        assert weights["matrix"] is TRUE
        return {"matrix": TRUE}


def test_labels_are_held_against_what_it_hears_once_rows_have_brought_it_to_the_day() -> None:
    model = {**MODEL, "matrix": SHIFTED}
    heard = [kept(text) for text in TEXTS[:12]]
    with pytest.raises(Mismatch, match="of 12 utterances, 0 are sure enough"):
        retuned(Mapped(TRUE), model, order(heard))
    taught: list[Any] = []
    made = retuned(SettlingFirst(TRUE, taught), model, order(heard))
    assert np.array_equal(taught[0], np.concatenate([one.rows for one in heard]))
    assert made.before > 0.9
    assert made.after == 0.0


@dataclass
class Nearest:
    """A language of a few sentences: takes what it heard for the one that is most like it."""

    said: list[Any]
    utterances: tuple[Utterance, ...] = ()

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        self.said += [o.probabilities for o in outputs if isinstance(o, Prediction)]
        if any(event.label == "finalize" for event in moment.events):
            path = greedy(np.array(self.said))
            text = min(TEXTS, key=lambda t: edits(path, phoneme_ids(phonemes_of(t))).errors)
            self.utterances = (Utterance(0, moment.sample, text, 0.9),) if path else ()
        return outputs


class FewSentences:
    def load(self) -> Any:
        return self

    def start(self, rate_hz: float, hop: int) -> Nearest:
        return Nearest([])


@dataclass(frozen=True)
class SettlesTo(Mapped):
    """Rows alone give it the matrix that it is told."""

    def settle(self, rows: Any, weights: Weights) -> Weights:
        return {**weights, "matrix": self.tuned}

    def tune(self, training: Training, weights: Weights) -> Weights:
        raise AssertionError("labels that do not count teach nothing")


NONSENSE = [kept(text, "what nobody has ever said here") for text in TEXTS[:12]]
LOST: Mapping[str, Any] = {**MODEL, "matrix": SHIFTED}


def test_where_no_label_counts_what_rows_tell_takes_over_if_a_language_hears_it_better() -> None:
    made = retuned(SettlesTo(TRUE), LOST, order(NONSENSE), FewSentences())
    assert (made.n_kept, made.n_learned, made.n_proved) == (12, 0, 12)
    assert made.after == 0.0 < 0.4 < made.before
    assert list(made.weights) == ["matrix"]
    assert np.array_equal(made.weights["matrix"], TRUE)
    with pytest.raises(Mismatch, match="of 12 utterances, 0 are sure enough"):
        retuned(SettlesTo(TRUE), LOST, order(NONSENSE))


@pytest.mark.parametrize("worse", [SHIFTED, np.roll(TRUE, 9, axis=1), np.zeros_like(TRUE)])
def test_what_a_language_hears_no_better_is_refused_with_its_numbers(worse: Any) -> None:
    why = r"settled on their rows \d are, of 6 needed; there the network's paths of \d+ phonemes"
    with pytest.raises(Mismatch, match=why):
        retuned(SettlesTo(worse), LOST, order(NONSENSE), FewSentences())


def test_where_labels_count_the_language_is_not_asked() -> None:
    taught: list[Any] = []
    heard = [kept(text) for text in TEXTS[:12]]
    unread: Any = object()
    made = retuned(SettlingFirst(TRUE, taught), LOST, order(heard), unread)
    assert made.n_learned == 8
