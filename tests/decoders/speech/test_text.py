import pytest

from decoders.speech.text import sentences


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I want water. Please!", ["i want water", "please"]),
        ("Mr. Smith isn’t here", ["mister smith isn't here"]),
        ('"Well-known," he said', ["well known he said"]),
        ("one\ntwo; three: four", ["one", "two", "three", "four"]),
        ("It's the dogs' ball", ["it's the dogs ball"]),
        ("I have 3 dogs. So do I.", ["i have three dogs", "so do i"]),
        ("café au lait", ["cafe au lait"]),
        ("a@b.c", []),
        ("... !", []),
    ],
)
def test_text_becomes_sentences_of_words(text, found):
    assert [" ".join(words) for words in sentences(text)] == found
