import pytest

from devices.speech.numbers import said_number
from devices.speech.text import words_of


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Don't go!", "don't go"),
        ("«Well-known», she said".replace("«", '"').replace("»", '"'), "well known she said"),
        ("It’s 'quoted' — really…", "it's quoted really"),
        ("Café crème", "cafe creme"),
        ("B&B, 50% off", "b and b fifty percent off"),
        ("At 3:30 on the 21st", "at three thirty on the twenty first"),
        ("1,200.5 miles", "one thousand two hundred point five miles"),
    ],
)
def test_a_sentence_is_its_words(sentence, words):
    assert words_of(sentence) == tuple(words.split())


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("five €", "'€' in 'five €' cannot be said"),
        ("жук", "'жук'"),
        ("the 1990s", "1990s"),
        ("…!", "has no words"),
        ("", "'' has no words"),
        ("1234567890123", "up to 999,999,999,999"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(sentence, message):
    with pytest.raises(ValueError, match=message):
        words_of(sentence)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("0", "zero"),
        ("13", "thirteen"),
        ("40", "forty"),
        ("101", "one hundred one"),
        ("20th", "twentieth"),
        ("112th", "one hundred twelfth"),
        ("3.14", "three point one four"),
        ("1,000,001", "one million one"),
        (
            "999999999999",
            "nine hundred ninety nine billion nine hundred ninety nine million "
            "nine hundred ninety nine thousand nine hundred ninety nine",
        ),
    ],
)
def test_numbers_are_written_out(number, words):
    assert said_number(number) == tuple(words.split())
