import pytest

from decoders.decoder import Event
from decoders.speech.sentences import Sentence, Sentences


def test_a_sentence_lies_between_its_text_and_its_end():
    events = [Event(100, "say:I am thirsty"), Event(250, "said"), Event(300, "blink")]
    assert Sentences(after_s=0.2).of(events, 50.0) == [Sentence("I am thirsty", 100, 260)]


def test_what_has_no_beginning_no_end_or_too_late_an_end_is_none():
    recipe = Sentences(longest_s=2.0)
    assert recipe.of([Event(5, "said")], 50.0) == []
    assert recipe.of([Event(5, "say:yes")], 50.0) == []
    assert recipe.of([Event(5, "say:yes"), Event(200, "said")], 50.0) == []


def test_a_second_beginning_replaces_the_first():
    events = [Event(5, "say:yes"), Event(20, "say:no"), Event(30, "said"), Event(40, "said")]
    assert [s.text for s in Sentences().of(events, 50.0)] == ["no"]


def test_what_clients_say_is_no_cue():
    events = [Event(5, "say:yes", "client", "label"), Event(20, "said")]
    assert Sentences().of(events, 50.0) == []


@pytest.mark.parametrize(
    "keys", [{"begin": ""}, {"end": ""}, {"begin": "s", "end": "said"}, {"longest_s": 0.0}]
)
def test_keys_that_mean_nothing_are_refused(keys):
    with pytest.raises(ValueError, match="need"):
        Sentences(**keys)
