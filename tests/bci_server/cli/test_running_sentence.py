from bci_server.cli.message_line import message_line
from bci_server.cli.running_sentence import RunningSentence
from bci_server.wire import Ledger, PredictionMessage, TokenMessage
from devices.speech.phonemes import CLASSES

LEDGER = Ledger(0.0, 0.0, 0.0)


def token(item, text, is_final=False, segment_final=False, unit="word", confidence=0.9):
    return TokenMessage(
        topic="tokens",
        sample=0,
        ledger=LEDGER,
        item=item,
        text=text,
        unit=unit,
        is_final=is_final,
        segment_final=segment_final,
        confidence=confidence,
    )


def styles(line):
    return {line.plain[s.start : s.end].split()[0]: str(s.style) for s in line.spans if s.style}


def test_words_stand_in_order_and_are_corrected_in_place():
    sentence = RunningSentence()
    for said in (token(3, "wader"), token(1, "i"), token(2, "want"), token(2, "won't")):
        assert not sentence.take(said)
    assert sentence.line(80).plain == "i 90 won't 90 wader 90 "
    sentence.take(token(3, "water", confidence=0.5))
    assert sentence.line(80).plain == "i 90 won't 90 water 50 "
    sentence.take(token(2, ""))
    assert sentence.line(80).plain == "i 90 water 50 "


def test_sure_words_are_bold_and_others_dim():
    sentence = RunningSentence()
    sentence.take(token(1, "water", True))
    sentence.take(token(2, "please"))
    line = sentence.line(80)
    assert (styles(line)["90"], line.plain) == ("dim", "water 90 please 90 ")
    bold = [line.plain[s.start : s.end] for s in line.spans if str(s.style) == "bold"]
    assert [part.split()[0] for part in bold] == ["water"]


def test_the_end_of_an_utterance_begins_a_line_and_keeps_what_is_open():
    sentence = RunningSentence()
    sentence.take(token(1, "good", True))
    sentence.take(token(5, "h"))
    assert sentence.take(token(2, "night", True, segment_final=True))
    assert sentence.end(80).plain == "good 90 night 90 "
    assert sentence.line(80).plain == "h 90 "


def test_of_a_long_sentence_the_end_is_seen():
    sentence = RunningSentence()
    for item in range(100):
        sentence.take(token(item, f"word{item}", True))
    line = sentence.line(40)
    assert line.cell_len <= 40
    assert line.plain.startswith("… ")
    assert line.plain.endswith("word99 90 ")


def test_letters_are_written_together():
    sentence = RunningSentence()
    for item, letter in enumerate("ayo"):
        sentence.take(token(item, letter, True, unit="character"))
    assert sentence.line(80).plain == "ayo"


def test_of_many_classes_the_likeliest_are_shown():
    p = [0.0] * len(CLASSES)
    p[5], p[40] = 0.75, 0.25
    message = PredictionMessage(
        topic="predictions", sample=0, ledger=LEDGER, labels=CLASSES, probabilities=tuple(p)
    )
    line = message_line(message, 0.0)
    assert f"{CLASSES[5]} 0.75" in line
    assert f"{CLASSES[40]} 0.25" in line
    assert line.count("0.") == 4  # two more numbers: the third class and the age


def test_a_token_that_is_taken_back_is_said_so():
    assert "item 7 taken back" in message_line(token(7, ""), 0.0)
    assert "'yes' (word, 0.90) ." in message_line(token(7, "yes", True, True), 0.0)
