from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from decoders.gathering import Gathered
from decoders.speech.learning import spoken_training
from decoders.speech.sentences import Sentences
from decoders.speech.spoken_sentences import spoken_sentences
from decoders.stage import Mismatch
from devices.signal import Event, Signal
from devices.speech.phonemes import CLASSES, phoneme_ids
from devices.speech.pronunciation import phonemes_of

SIGNAL = Signal(50.0, ("a", "b"), "1")
CUES = Sentences(after_s=0.2)


def recording(*markers: tuple[int, str], n: int = 3000, gap: int = 3000) -> Gathered:
    """Return rows at 50 Hz, each its own number; those from `gap` on lie behind one."""
    samples = np.arange(n)
    stretch = [int(sample >= gap) for sample, _ in markers]
    return Gathered(
        SIGNAL,
        SIGNAL,
        SIGNAL,
        np.repeat(samples[:, np.newaxis], 2, axis=1).astype(np.float64),
        samples,
        samples / 50.0,
        (samples >= gap).astype(np.int64),
        tuple(Event(sample, label) for sample, label in markers),
        tuple(stretch),
        tuple(label for _, label in markers),
        None,
    )


def test_a_sentence_comes_with_its_phonemes_and_the_silence_before_it() -> None:
    training = spoken_training([recording((100, "say:yes please"), (180, "said"))], CUES)
    (one,) = spoken_sentences(training)
    assert training.labels == CLASSES
    assert training.features[[0, -1], 0].tolist() == [0, 190]
    assert one.silent == 100
    assert one.phonemes.tolist() == list(phoneme_ids(phonemes_of("yes please")))


def test_sentences_follow_each_other_until_a_gap_or_a_long_silence() -> None:
    cues = [(100, "say:yes"), (150, "said"), (300, "say:no"), (350, "said")]
    cues += [(1500, "say:yes"), (1550, "said"), (2100, "say:no"), (2150, "said")]
    found = spoken_sentences(spoken_training([recording(*cues, gap=2000)], CUES))
    assert [b.follows(a) for a, b in pairwise(found)] == [True, False, False]
    assert [u.silent for u in found] == [100, 139, 500, 100]


def test_a_sentence_that_began_while_the_steps_filled_is_left_out() -> None:
    late = recording((100, "say:yes please"), (180, "said"), (300, "say:no"), (350, "said"))
    late = replace(
        late,
        rows=late.rows[150:],
        samples=late.samples[150:],
        times=late.times[150:],
        stretches=late.stretches[150:],
    )
    (one,) = spoken_sentences(spoken_training([late], CUES))
    assert one.phonemes.tolist() == list(phoneme_ids(phonemes_of("no")))


def test_sentences_of_two_recordings_are_of_their_sessions() -> None:
    one = recording((100, "say:yes"), (150, "said"))
    training = spoken_training([one, one], CUES, sessions=(0, 4))
    found = spoken_sentences(training)
    assert [(u.group, u.session) for u in found] == [(0, 0), (1, 4)]
    assert not found[1].follows(found[0])


def test_a_recording_without_sentences_says_what_it_has_instead() -> None:
    with pytest.raises(Mismatch, match=r"'say:' and for 'said' within 60 s; .* 2 × say, 1 × rest"):
        spoken_training([recording((1, "say:yes"), (2, "rest"), (3, "say:no"))], CUES)


def test_what_cannot_be_pronounced_is_named_with_its_sentence() -> None:
    with pytest.raises(Mismatch, match="the sentence '§' cannot be learned from"):
        spoken_training([recording((100, "say:§"), (150, "said"))], CUES)


def test_blocks_of_several_rows_are_refused() -> None:
    blocks = recording((100, "say:yes"), (150, "said"))
    blocks = replace(blocks, samples=blocks.samples * 4)
    with pytest.raises(Mismatch, match=r"a block of 0.08 s holds 4 rows.* hop_s = 0.02"):
        spoken_training([blocks], CUES)


def test_a_session_without_sentences_is_refused() -> None:
    with pytest.raises(Mismatch, match="the session has none"):
        spoken_training([recording()], None)
