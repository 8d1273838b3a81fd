"""What a slow client may miss, and in which order the rest comes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci_server.web.delivery import JSON, MSGPACK, Encoded, Overflow, Pending
from tests.bci_server.web.web_place import command, marker, prediction, signal, token, voice


def drain(pending):
    return [pending.pop().message for _ in range(len(pending))]


def put(pending, *messages):
    for message in messages:
        pending.put(Encoded(message))


def test_of_commands_and_predictions_the_newest_stays():
    pending = Pending()
    put(pending, command(1), prediction(1), command(2), prediction(2), command(3))
    assert [m.sample for m in drain(pending)] == [2, 3]
    assert pending.n_replaced == 3


def test_a_decision_stays_and_so_does_the_prediction_after_it():
    pending = Pending()
    put(pending, prediction(1), prediction(2, decision="left"), prediction(3), prediction(4))
    assert [m.sample for m in drain(pending)] == [2, 4]


def test_an_interim_token_is_replaced_by_item_and_by_its_final_one():
    pending = Pending()
    put(pending, token(1, "h", False), token(2, "w", False), token(1, "he", False))
    put(pending, token(2, "world", True))
    assert [m.text for m in drain(pending)] == ["he", "world"]


def test_what_must_not_be_skipped_overflows():
    pending = Pending(max_ordered=3)
    put(pending, marker("a"), marker("b"), token(1, "c", True))
    with pytest.raises(Overflow, match="3 messages"):
        put(pending, marker("d"))


def test_what_is_sent_again_counts_for_nothing_and_comes_before_what_is_new():
    pending = Pending(max_ordered=2)
    for n in range(100):
        pending.put_missed(Encoded(prediction(n)))
    put(pending, marker("a"), prediction(100), prediction(101), marker("b"))
    *missed, a, newest, b = drain(pending)
    assert [m.sample for m in missed] == list(range(100))
    assert (a.label, newest.sample, b.label) == ("a", 101, "b")


def test_the_oldest_signal_goes_and_is_counted_on_the_next():
    pending = Pending(max_display=2)
    put(pending, *(signal(n, n=1) for n in range(5)), marker("a"))
    *signals, last = drain(pending)
    assert [(m.sample, m.dropped) for m in signals] == [(3, 3), (4, 0)]
    assert last.label == "a"
    assert pending.n_dropped == 3


def test_a_voice_comes_in_order_and_what_is_too_far_behind_goes_at_once():
    pending = Pending(max_voice=5)
    put(pending, *(voice(n) for n in range(5)), marker("a"))
    assert [m.sample for m in drain(pending) if m.topic == "voice"] == [0, 1, 2, 3, 4]
    put(pending, *(voice(n) for n in range(5, 12)))
    assert [(m.sample, m.dropped) for m in drain(pending)] == [(10, 5), (11, 0)]
    assert pending.n_dropped == 5


def test_each_encoding_is_made_once_and_is_a_whole_frame():
    encoded = Encoded(marker("go"))
    text = encoded.written(JSON)
    assert encoded.written(JSON) is text
    assert msgspec.json.decode(text.payload)["label"] == "go"
    assert text.frame[0] == 0x81  # final, text
    assert text.frame.endswith(text.payload)
    binary = encoded.written(MSGPACK)
    assert msgspec.msgpack.decode(binary.payload)["label"] == "go"
    assert binary.frame[0] == 0x82  # final, binary


_messages = st.one_of(
    st.builds(lambda: command()),
    st.builds(lambda d: prediction(decision=d), st.sampled_from([None, None, "left"])),
    st.builds(lambda i, f: token(i, "w", f), st.integers(0, 3), st.booleans()),
    st.builds(lambda: marker("m")),
    st.builds(lambda: signal(n=1)),
    st.builds(lambda: voice()),
)


@given(st.lists(_messages, max_size=60), st.lists(st.booleans(), max_size=60))
def test_numbers_never_go_back_memory_is_bounded_and_nothing_lossless_is_lost(messages, pops):
    pending = Pending(max_ordered=1000, max_display=3, max_voice=4)
    got, sent = [], []
    popping = iter(pops)
    for n, message in enumerate(messages):
        numbered = msgspec.structs.replace(message, seq=n)
        sent.append(numbered)
        pending.put(Encoded(numbered))
        if next(popping, False) and pending:
            got.append(pending.pop().message)
    n_lossless = sum(Encoded(m).key is None and m.topic not in ("signal", "voice") for m in sent)
    assert len(pending) <= n_lossless + 3 + 4 + 1 + 1 + 4
    got += drain(pending)
    assert [m.seq for m in got] == sorted(m.seq for m in got)
    lossless = [
        m.seq for m in sent if Encoded(m).key is None and m.topic not in ("signal", "voice")
    ]
    assert [m.seq for m in got if m.seq in set(lossless)] == lossless
    for topic in ("signal", "voice"):
        n = sum(m.topic == topic for m in sent)
        came = [m for m in got if m.topic == topic]
        assert len(came) + sum(m.dropped for m in came) == n
