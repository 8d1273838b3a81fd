import asyncio

import msgspec

from bci_server.client import connect
from examples.speech.write import Text, steer
from tests.bci_server.web.web_place import TOKEN, serving, token


def test_words_that_are_not_sure_stand_in_brackets_and_go_when_they_are_taken_back():
    text = Text()
    for said in (token(1, "i", True), token(3, "daughter", False), token(2, "want", False)):
        assert not text.take(said)
    assert text.line() == "i [want] [daughter]"
    text.take(token(3, "", False))
    assert text.line() == "i [want]"
    text.take(token(2, "want", True))
    assert text.take(token(4, "water", True, segment_final=True))
    assert (text.sentences, text.line()) == (["i want water"], "")


def test_the_last_sentence_is_corrected_or_deleted():
    text = Text(["good night", "i want daughter"])
    text.correct("i want water")
    assert text.sentences == ["good night", "i want water"]
    text.correct("")
    assert text.sentences == ["good night"]
    Text().correct("nothing is there")


def test_letters_are_written_together():
    text = Text()

    for n, letter in enumerate("ax\byo"):
        said = msgspec.structs.replace(token(n, letter, True, n == 4), unit="character")
        text.take(said)
    assert text.sentences == ["ayo"]


def test_what_is_typed_reaches_the_session():
    async def scene():
        async with serving() as place:
            await place.engine.linked()
            text = Text(["i want daughter"])
            async with connect(place.http, TOKEN, session="demo") as client:
                for line in ("=i want water", "+Kalina K AH L", ".", "!"):
                    assert await steer(client, text, line)
                assert not await steer(client, text, "q")
            return text.sentences, [c.label for c in place.engine.asked if hasattr(c, "label")]

    sentences, asked = asyncio.run(scene())
    assert sentences == ["i want water"]
    assert asked == ["wrong i want water", "word Kalina K AH L", "finalize", "reset"]
