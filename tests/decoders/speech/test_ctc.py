import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoders.speech.ctc import Edits, collapse, edits, greedy

words = st.lists(st.sampled_from("abc"), max_size=6)


def test_repeats_are_merged_unless_a_blank_parts_them():
    assert collapse([0, 3, 3, 0, 3, 5, 5, 0]) == (3, 3, 5)
    assert collapse([]) == ()


def test_the_likeliest_classes_say_what_was_said():
    assert greedy(np.eye(4)[[0, 1, 1, 0, 1, 2]]) == (1, 1, 2)
    assert greedy(np.eye(4)[[3, 3, 0, 0]]) == (3,)
    assert greedy(np.eye(4)[[0, 0]]) == ()


@pytest.mark.parametrize(
    ("said", "meant", "counts"),
    [
        ("i want water", "i want water", (0, 0, 0, 3)),
        ("i want a water", "i want water", (0, 1, 0, 3)),
        ("want water", "i want water", (0, 0, 1, 3)),
        ("i wand water", "i want water", (1, 0, 0, 3)),
        ("", "i want", (0, 0, 2, 2)),
    ],
)
def test_edits_are_counted_by_kind(said, meant, counts):
    assert edits(said.split(), meant.split()) == Edits(*counts)


def test_rates_add_up():
    both = edits("ab", "ac") + edits("abc", "ab")
    assert both == Edits(1, 1, 0, 4)
    assert both.rate == 0.5
    assert edits("", "").rate == 0.0
    assert edits("a", "").rate == 1.0


@given(words, words)
def test_edits_are_as_far_one_way_as_the_other(said, meant):
    there, back = edits(said, meant), edits(meant, said)
    assert there.errors == back.errors
    assert there.insertions - there.deletions == len(said) - len(meant)
    assert there.errors <= max(len(said), len(meant))
    assert (there.errors == 0) == (said == meant)
