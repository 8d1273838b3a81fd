"""Numbers, stamps, history and neutral; no socket needed."""

from dataclasses import dataclass, field

import msgspec
import pytest

from bci_server.calls import ResumeFrom
from bci_server.web.delivery import Encoded, Pending
from bci_server.web.hub import Hub, Spans
from devices.clock import ManualClock
from tests.bci_server.web.web_place import command, marker, prediction, status, token


@dataclass(eq=False)
class Listener:
    got: list = field(default_factory=list)
    pending: Pending = field(default_factory=Pending)

    def push(self, encoded: Encoded) -> None:
        self.got.append(encoded.message)


@pytest.fixture
def clock():
    return ManualClock(100.0)


@pytest.fixture
def hub(clock):
    return Hub("demo", clock, {"markers": 5, "commands": 5, "tokens": 20})


def test_numbers_have_no_gap_a_topic_and_every_message_is_stamped(hub, clock):
    listener = Listener()
    hub.subscribe(listener, ("commands", "markers"))
    hub.publish(command())
    clock.advance(1.0)
    hub.publish(marker("a"))
    hub.publish(command())
    hub.publish(prediction())
    assert [(m.topic, m.seq) for m in listener.got] == [
        ("commands", 1),
        ("markers", 1),
        ("commands", 2),
    ]
    assert [m.ledger.published_s for m in listener.got] == [100.0, 101.0, 101.0]


def test_all_subscribers_get_the_very_same_object(hub):
    one, other = Listener(), Listener()
    hub.subscribe(one, ("markers",))
    hub.subscribe(other, ("markers",))
    hub.publish(marker("a"))
    assert one.got[0] is other.got[0]


def test_a_restart_begins_a_new_epoch_and_keeps_the_subscribers(hub):
    listener = Listener()
    hub.subscribe(listener, ("markers",))
    hub.publish(marker("a"))
    before = hub.epoch
    hub.restart()
    hub.publish(marker("b"))
    assert hub.epoch != before
    assert [m.seq for m in listener.got] == [1, 1]
    assert hub.missed(("markers",), ResumeFrom(epoch=before, seq=0)) == (False, [])


@pytest.mark.parametrize(
    ("since", "recovered", "labels"),
    [
        (0, False, ["3", "4", "5", "6", "7"]),
        (2, False, ["3", "4", "5", "6", "7"]),
        (3, True, ["3", "4", "5", "6", "7"]),
        (7, True, ["7"]),
        (8, True, []),
        (9, False, []),
    ],
)
def test_what_was_missed_is_kept_as_far_as_the_history_reaches(hub, since, recovered, labels):
    for n in range(8):
        hub.publish(marker(str(n)))
    whole, missed = hub.missed(("markers",), ResumeFrom(epoch=hub.epoch, seq=since))
    assert whole is recovered
    assert [e.message.label for e in missed] == labels


def test_only_the_newest_command_comes_again_and_that_is_all_there_is_to_recover(hub):
    for n in range(50):
        hub.publish(command(sample=n))
    whole, missed = hub.missed(("commands",), ResumeFrom(epoch=hub.epoch, seq=1))
    assert whole
    assert [e.message.sample for e in missed] == [49]


def test_of_tokens_the_final_ones_come_again_and_the_newest_interim_ones(hub):
    for message in (
        token(1, "h", False),
        token(1, "hello", True),
        token(2, "w", False),
        token(2, "wo", False),
    ):
        hub.publish(message)
    _, missed = hub.missed(("tokens",), ResumeFrom(epoch=hub.epoch, seq=0))
    assert [e.message.text for e in missed][-2:] == ["hello", "wo"]


def test_thinning_holds_the_rate_over_time(hub, clock):
    listener = Listener()
    hub.subscribe(listener, ("predictions",), 10.0)
    for n in range(1000):
        hub.publish(prediction(sample=n))
        clock.advance(0.02)
    assert len(listener.got) == pytest.approx(200, abs=2)


def test_thinned_or_not_no_word_stands_that_was_taken_back(hub, clock):
    listener = Listener()
    hub.subscribe(listener, ("tokens",), 1.0)
    for text, is_final in (("wat", False), ("water", False), ("", False), ("what", True)):
        hub.publish(token(1, text, is_final))
        clock.advance(0.08)
    assert [m.text for m in listener.got] == ["wat", "", "what"]


def test_minutes_of_speech_can_be_resumed_word_by_word():
    hub = Hub("demo")
    for n in range(600):
        for text, is_final in (("w", False), ("wo", False), ("wor", False), ("word", True)):
            hub.publish(token(n, text, is_final))
    recovered, missed = hub.missed(("tokens",), ResumeFrom(epoch=hub.epoch, seq=400))
    assert recovered
    finals = [e.message.item for e in missed if e.message.is_final]
    assert finals == list(range(100, 600))


def test_status_and_markers_are_never_thinned(hub):
    listener = Listener()
    hub.subscribe(listener, ("status", "markers"), 0.001)
    for _ in range(5):
        hub.publish(status())
        hub.publish(marker("a"))
    assert len(listener.got) == 10


def test_spans_tell_quantiles_of_the_newest():
    spans = Spans(n=100)
    assert spans.percentiles() == {}
    for ms in range(1000):
        spans.add(float(ms))
    assert spans.percentiles()["0.5"] == pytest.approx(949.5)
    assert spans.count == 1000


def test_messages_stay_what_they_were(hub):
    message = marker("a")
    hub.publish(message)
    assert message.seq == 0
    assert msgspec.structs.asdict(message)["ledger"].published_s == 0.0
