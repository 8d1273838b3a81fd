import socket
import threading
import time
from typing import ClassVar

import msgspec
import pytest

from bci_server.control import Answer, EngineMessage, Goodbye, Heartbeat, Mark, Shutdown, WebLost
from bci_server.link.engine_end import EngineEnd
from bci_server.link.frames import Frames, frame
from bci_server.wire import (
    CommandMessage,
    Ledger,
    MarkerMessage,
    PredictionMessage,
    StatusMessage,
)

LEDGER = Ledger(0.0, 0.0, 0.0)


def command(sample):
    return CommandMessage(
        topic="commands", sample=sample, ledger=LEDGER, mode="velocity", names=("x",),
        values=(1.0,), unit="1", confidence=1.0, ttl_ms=100.0, armed=True,
    )  # fmt: skip


def marker(sample, label="go"):
    return MarkerMessage(
        topic="markers", sample=sample, ledger=LEDGER, label=label, source="device"
    )


def prediction(sample, decision=None):
    return PredictionMessage(
        topic="predictions", sample=sample, ledger=LEDGER, labels=("a",), probabilities=(1.0,),
        decision=decision,
    )  # fmt: skip


def status(state):
    return StatusMessage(topic="status", sample=0, ledger=LEDGER, session="s", state=state)


class Web:
    """A web process's end, on plain blocking sockets."""

    opened: ClassVar[list[socket.socket]] = []

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.opened.append(self.socket)
        self.socket.connect(path)
        self._frames = Frames()
        self._decode = msgspec.msgpack.Decoder(EngineMessage).decode

    def say(self, control):
        self.socket.sendall(frame(msgspec.msgpack.encode(control)))

    def hear(self, until):
        """Return the messages up to the first that satisfies `until`."""
        heard = []
        while not (heard and until(heard[-1])):
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(heard)
            heard += [self._decode(p) for p in self._frames.feed(data)]
        return heard


@pytest.fixture
def path(tmp_path):
    yield str(tmp_path / "engine.sock")
    while Web.opened:
        Web.opened.pop().close()


@pytest.fixture
def end(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    end = EngineEnd(listener)
    yield end
    end.close(Goodbye(state="ended"))


def test_its_thread_begins_with_what_it_is_told_to(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    begun = threading.Event()
    threads = []
    end = EngineEnd(
        listener, begin=lambda: (threads.append(threading.current_thread().name), begun.set())
    )
    assert begun.wait(10)
    assert threads == ["link"]
    end.close(Goodbye(state="ended"))


def taken(end):
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        if (control := end.take()) is not None:
            return control
        end.wait_for_shutdown(0.001)
    raise TimeoutError("no control came")


def connected(end, path):
    """A web end whose connection the engine has taken."""
    web = Web(path)
    web.say(Mark(label="hello"))
    assert taken(end) == Mark(label="hello")
    return web


def test_messages_arrive_and_controls_come_back(end, path):
    web = connected(end, path)
    end.put(command(1))
    end.put(marker(2))
    assert web.hear(lambda m: isinstance(m, MarkerMessage)) == [command(1), marker(2)]
    web.say(Shutdown(call=7))
    assert taken(end) == Shutdown(call=7)
    assert end.wait_for_shutdown(0)
    end.answer(Answer(call=7, ok=True))
    assert web.hear(lambda m: isinstance(m, Answer))[-1].call == 7


def test_a_quiet_loop_sends_heartbeats_and_a_talking_one_does_not(end, path):
    web = connected(end, path)
    end.put(command(1))
    end.turn(10.0)
    end.turn(10.01)
    end.turn(10.04)
    heard = web.hear(lambda m: isinstance(m, Heartbeat))
    assert heard == [command(1), Heartbeat()]


def test_a_loop_that_only_answers_sends_heartbeats(end, path):
    web = connected(end, path)
    for turn in range(5):
        end.answer(Answer(call=turn, ok=True))
        end.turn(10.0 + 0.01 * turn)
    assert web.hear(lambda m: isinstance(m, Heartbeat))


def test_a_web_process_that_does_not_read_blocks_nothing_and_misses_no_decision(end, path):
    web = connected(end, path)
    for i in range(20_000):
        end.put(command(i))
        end.put(prediction(i))
        if i % 10 == 0:
            end.put(marker(i))
            end.put(prediction(i, decision="a"))
    assert end.n_replaced > 10_000
    end.put(marker(-1, "last"))
    heard = []
    while marker(-1, "last") not in heard[-10:]:
        heard += web.hear(lambda m: True)
        end.turn(0.0)
    markers = [m.sample for m in heard if m.topic == "markers"]
    assert markers == [*range(0, 20_000, 10), -1]
    predictions = [m for m in heard if m.topic == "predictions"]
    assert [m.sample for m in predictions if m.decision] == list(range(0, 20_000, 10))
    assert [m.sample for m in predictions] == sorted(m.sample for m in predictions)
    assert len([m for m in heard if m.topic == "commands"]) < 10_000


def test_a_web_process_that_is_too_far_behind_is_let_go_to_start_anew(end, path):
    web = connected(end, path)
    n = 0
    while end.take() is None:
        end.put(marker(n, "x" * 200))
        n += 1
        assert n < 100_000
    with pytest.raises(EOFError):
        web.hear(lambda m: False)


def test_who_comes_late_hears_where_the_session_is_and_no_marker_is_missing(end, path):
    end.put(status("starting"))
    end.put(status("running"))
    end.put(command(1))
    end.put(marker(1))
    web = connected(end, path)
    assert web.hear(lambda m: m.topic == "markers") == [status("running"), marker(1)]


def test_markers_for_nobody_are_bounded_and_counted(end, path):
    for i in range(5000):
        end.put(marker(i))
    assert end.n_lost == 5000 - 4096
    assert connected(end, path).hear(lambda m: True)[0].sample == end.n_lost


def test_the_death_of_the_web_process_is_told_to_the_loop(end, path):
    connected(end, path).socket.close()
    assert taken(end) == WebLost()
    end.put(command(1))
    end.turn(0.0)


def test_a_new_connection_takes_the_place_of_the_old_one(end, path):
    old = connected(end, path)
    new = Web(path)
    assert taken(end) == WebLost()
    with pytest.raises(EOFError):
        old.hear(lambda m: False)
    end.put(command(3))
    assert new.hear(lambda m: True) == [command(3)]


def test_nonsense_ends_the_line_and_nothing_else(end, path):
    connected(end, path).socket.sendall(frame(b"\xc1nonsense"))
    assert taken(end) == WebLost()
    connected(end, path)


def test_goodbye_comes_last(path, tmp_path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    end = EngineEnd(listener)
    web = connected(end, path)
    end.put(marker(1))
    end.close(Goodbye(state="failed", reason="because"))
    assert web.hear(lambda m: isinstance(m, Goodbye))[-1].reason == "because"
    with pytest.raises(EOFError):
        web.hear(lambda m: False)


def test_a_shutdown_can_be_asked_for_from_within(end):
    end.ask_shutdown()
    assert end.wait_for_shutdown(0)
    assert end.take() == Shutdown()
