import pytest

from decoders.speech.held_out import HeldOut


def words(text):
    return tuple(text.split())


HELD = HeldOut(map(words, ["you can see the sea", "i want water", "so long"]))


@pytest.mark.parametrize(
    "text",
    [
        "you can see the sea",
        "i want water",
        "so long",
        "you can see a sea",
        "you can see the blue sea",
        "can see the sea",
        "see the you can sea you can see the sea again",
        "well i want water now",
    ],
)
def test_a_copy_is_recognized_and_what_is_a_word_off(text):
    assert words(text) in HELD


@pytest.mark.parametrize(
    "text", ["so", "i want", "i want candy", "so long so good", "can you see a sea", "the sea", ""]
)
def test_what_is_another_sentence_is_not(text):
    assert words(text) not in HELD
