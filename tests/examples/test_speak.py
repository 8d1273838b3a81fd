import asyncio
import stat
import sys

import pytest

from bci_server.client import connect
from bci_server.wire import CommandMessage, Ledger, MarkerMessage, TokenMessage
from examples.speech.speak import Policy, Speaker, clicks, run, speak, words
from tests.bci_server.web.web_place import TOKEN, serving, token

LEDGER = Ledger(0.0, 0.0, 0.0)


def sentence(*said, confidence=0.9, unit="word"):
    return [
        TokenMessage(
            topic="tokens",
            sample=0,
            ledger=LEDGER,
            item=n,
            text=text,
            unit=unit,
            is_final=True,
            segment_final=n == len(said) - 1,
            confidence=confidence,
        )
        for n, text in enumerate(said)
    ]


def asked(label):
    return MarkerMessage(
        topic="markers", sample=0, ledger=LEDGER, label=label, source="client", kind="speech"
    )


def heard(speaker, messages, now_s=0.0):
    return [text for m in messages if (text := speaker.hear(m, now_s))]


def test_nothing_is_spoken_before_it_is_confirmed(capsys):
    speaker = Speaker(Policy())
    assert heard(speaker, sentence("i", "want", "water")) == []
    assert "say this? i want water" in capsys.readouterr().out
    assert speaker.answer("yes", 1.0) == "i want water"
    assert speaker.answer("yes", 2.0) == ""


def test_what_is_refused_or_not_answered_in_time_is_not_spoken(capsys):
    speaker = Speaker(Policy(), wait_s=5.0)
    heard(speaker, sentence("no"))
    assert speaker.answer("no", 1.0) == ""
    heard(speaker, sentence("help"), 10.0)
    speaker.wait(14.9)
    assert speaker.answer("yes", 15.0) == ""
    assert "nobody confirmed it: help" in capsys.readouterr().out


def test_an_answer_is_to_the_newest_sentence_alone():
    speaker = Speaker(Policy())
    heard(speaker, [*sentence("go", "away"), *sentence("come", "here")])
    assert speaker.answer("yes", 1.0) == "come here"
    assert speaker.answer("yes", 1.0) == ""


def test_interim_words_and_what_is_not_complete_say_nothing():
    speaker = Speaker(Policy("auto", 0.5))
    assert heard(speaker, [token(1, "wa", False), *sentence("i", "am", "fine")[:2]]) == []


@pytest.mark.parametrize(
    ("policy", "confidence", "said"),
    [
        (Policy("auto", 0.8), 0.9, ["yes"]),
        (Policy("auto", 0.8), 0.8, []),
        (Policy("never"), 1.0, []),
        (Policy("confirm", 0.1), 1.0, []),
    ],
)
def test_only_auto_speaks_by_itself_and_only_what_is_sure(policy, confidence, said):
    assert heard(Speaker(policy), sentence("yes", confidence=confidence)) == said


def test_never_is_never_whatever_is_answered():
    speaker = Speaker(Policy("never"))
    heard(speaker, [*sentence("yes"), asked("wrong no")])
    assert speaker.answer("yes", 1.0) == ""


def test_a_correction_takes_the_place_of_what_waits_and_wants_confirmation_too():
    speaker = Speaker(Policy("auto", 0.95))
    heard(speaker, sentence("i", "want", "daughter"))
    assert heard(speaker, [asked("wrong i want water")]) == []
    assert speaker.answer("yes", 1.0) == "i want water"
    heard(speaker, [*sentence("bad"), asked("wrong")])
    assert speaker.answer("yes", 1.0) == ""


def test_letters_are_one_word_and_delete_deletes():
    speaker = Speaker(Policy("auto", 0.5))
    assert heard(speaker, sentence("a", "x", "\b", "y", "o", " ", "b", unit="character")) == [
        "ayo b"
    ]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A text-to-speech program that writes down what it is given."""
    file, spoken = tmp_path / "espeak-ng", tmp_path / "spoken"
    file.write_text(
        f'#!{sys.executable}\nimport sys\nopen("{spoken}", "a").write(sys.stdin.read())\n'
    )
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    return spoken


def test_text_reaches_the_program_as_it_is_and_no_shell(program):
    text = '$(touch /tmp/x); it\'s --fine & "quoted"'
    assert asyncio.run(speak(text)) == "espeak-ng"
    assert program.read_text() == text + "\n"


def test_without_a_program_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert asyncio.run(speak("hello")) == ""
    assert "not spoken, for none of espeak-ng" in capsys.readouterr().err


async def _conversation(place, answers, publish):
    said = []
    async with connect(place.http, TOKEN, session="demo") as client:
        speaker = Speaker(Policy(), say=said.append)
        running = asyncio.create_task(run(client, speaker, answers(client)))
        async with asyncio.timeout(20):
            while not said:
                publish(place)
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return said


def test_a_word_of_a_session_confirms():
    def publish(place):
        for message in (*sentence("good", "night"), *sentence("yes")[:0]):
            place.publish(message)
        place.publish(token(9, "yes", True))

    async def scene():
        async with serving() as place:
            return await _conversation(place, words, publish)

    assert asyncio.run(scene())[0] == "good night"


def test_a_click_confirms_once_however_long_it_lasts():
    def click(value):
        return CommandMessage(
            topic="commands",
            sample=0,
            ledger=LEDGER,
            mode="click" if value else "neutral",
            names=("click",),
            values=(value,),
            unit="1",
            confidence=1.0,
            ttl_ms=100.0,
            armed=True,
        )

    def publish(place):
        for message in (*sentence("good", "night"), click(0.0), click(1.0), click(1.0)):
            place.publish(message)

    async def scene():
        async with serving() as place:
            return await _conversation(place, clicks, publish)

    assert asyncio.run(scene())[0] == "good night"
