import asyncio
import os
import socket

import msgspec
import pytest

from bci_server.control import (
    Answer,
    Control,
    Goodbye,
    Heartbeat,
    Mark,
    Request,
    Sessions,
    StopNow,
    StopSession,
)
from bci_server.link.frames import Frames, frame
from bci_server.link.web_end import EngineLink, LinkLost, SupervisorLink
from bci_server.wire import Ledger, StatusMessage

RUNNING = StatusMessage(
    topic="status", sample=0, ledger=Ledger(0, 0, 0), session="s", state="running"
)


class Heard:
    """A listener that keeps what it is told, and lets one wait for it."""

    def __init__(self):
        self.told = asyncio.Queue()

    def connected(self):
        self.told.put_nowait("connected")

    def message(self, message):
        self.told.put_nowait(message)

    def silent(self):
        self.told.put_nowait("silent")

    def lost(self, goodbye):
        self.told.put_nowait(("lost", goodbye))

    async def next(self):
        async with asyncio.timeout(10):
            return await self.told.get()


class Peer:
    """The other process, on one connection."""

    def __init__(self, reader, writer, kind):
        self.reader, self.writer = reader, writer
        self._frames = Frames()
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._waiting = []

    def say(self, message):
        self.writer.write(frame(msgspec.msgpack.encode(message)))

    async def hear(self):
        async with asyncio.timeout(10):
            while not self._waiting:
                if not (data := await self.reader.read(65536)):
                    raise EOFError
                self._waiting += map(self._decode, self._frames.feed(data))
        return self._waiting.pop(0)

    def close(self):
        self.writer.close()


class Bench:
    """An engine's socket, and a link to it."""

    async def __aenter__(self):
        self._peers = asyncio.Queue()
        self._server = await asyncio.start_unix_server(
            lambda r, w: self._peers.put_nowait(Peer(r, w, Control)), self.path
        )
        self.heard = Heard()
        self.link = EngineLink(self.path, self.heard, silence_s=0.1)
        self._task = asyncio.create_task(self.link.run())
        return self

    def __init__(self, path):
        self.path = str(path / "engine.sock")

    async def peer(self):
        async with asyncio.timeout(10):
            return await self._peers.get()

    async def __aexit__(self, *error):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._server.close()
        while not self._peers.empty():
            self._peers.get_nowait().close()


def test_messages_are_passed_on_but_not_heartbeats(tmp_path):
    async def scene():
        async with Bench(tmp_path) as bench:
            engine = await bench.peer()
            engine.say(Heartbeat())
            engine.say(RUNNING)
            assert [await bench.heard.next(), await bench.heard.next()] == ["connected", RUNNING]
            engine.close()

    asyncio.run(scene())


def test_each_call_gets_its_own_answer(tmp_path):
    async def scene():
        async with Bench(tmp_path) as bench:
            engine = await bench.peer()
            await bench.heard.next()
            calls = [
                asyncio.create_task(bench.link.call(Mark(label="a"))),
                asyncio.create_task(bench.link.call(StopNow(holder="anna"))),
            ]
            first, second = await engine.hear(), await engine.hear()
            engine.say(Answer(call=second.call, ok=False, error="no"))
            engine.say(Answer(call=first.call, ok=True, sample=7))
            answers = await asyncio.gather(*calls)
            assert [(a.ok, a.sample) for a in answers] == [(True, 7), (False, None)]
            engine.close()

    asyncio.run(scene())


def test_a_call_fails_when_there_is_no_engine_or_no_answer_or_it_dies(tmp_path):
    async def scene():
        async with Bench(tmp_path) as bench:
            with pytest.raises(LinkLost, match="not running"):
                bench.link.send(StopNow(holder="anna"))
            engine = await bench.peer()
            await bench.heard.next()
            with pytest.raises(LinkLost, match=r"did not answer within 0\.01 s"):
                await bench.link.call(StopNow(holder="anna"), timeout_s=0.01)
            call = asyncio.create_task(bench.link.call(StopNow(holder="anna"), timeout_s=10))
            await engine.hear()
            await engine.hear()
            engine.close()
            with pytest.raises(LinkLost, match="ended"):
                await call

    asyncio.run(scene())


def test_silence_is_told_once_and_again_after_the_next_message(tmp_path):
    async def scene():
        async with Bench(tmp_path) as bench:
            engine = await bench.peer()
            for _ in range(2):
                engine.say(RUNNING)
            told = [await bench.heard.next() for _ in range(4)]
            assert told == ["connected", RUNNING, RUNNING, "silent"]
            engine.say(Heartbeat())
            assert await bench.heard.next() == "silent"
            engine.close()
            assert await bench.heard.next() == ("lost", None)

    asyncio.run(scene())


def test_answers_break_no_silence(tmp_path):
    """A thread beside a loop that hangs may answer: what holds then is what was told."""

    async def scene():
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        async with Bench(tmp_path / "one") as bench, Bench(tmp_path / "two") as other:
            engine, beside = await bench.peer(), await other.peer()
            engine.say(RUNNING)
            told = [await bench.heard.next() for _ in range(3)]
            assert told == ["connected", RUNNING, "silent"]
            call = asyncio.create_task(bench.link.call(Mark(label="a"), timeout_s=10))
            engine.say(Answer(call=(await engine.hear()).call, ok=True))
            assert (await call).ok
            beside.say(Heartbeat())  # as old as the answer, when it has been silent for too long
            assert [await other.heard.next() for _ in range(2)] == ["connected", "silent"]
            assert bench.heard.told.empty()
            for peer in (engine, beside):
                peer.close()

    asyncio.run(scene())


def test_a_line_that_no_engine_serves_yet_is_not_silent(tmp_path):
    async def scene():
        async with Bench(tmp_path) as bench:
            engine = await bench.peer()
            assert await bench.heard.next() == "connected"
            engine.close()
            assert await bench.heard.next() == ("lost", None)

    asyncio.run(scene())


def test_it_connects_again_and_tells_a_goodbye_from_a_death(tmp_path):
    async def scene():
        async with Bench(tmp_path) as bench:
            for goodbye in (None, Goodbye(state="ended")):
                engine = await bench.peer()
                assert await bench.heard.next() == "connected"
                if goodbye is not None:
                    engine.say(goodbye)
                    assert await bench.heard.next() == goodbye
                engine.close()
                assert await bench.heard.next() == ("lost", goodbye)
            (await bench.peer()).close()

    asyncio.run(scene())


def test_it_waits_for_a_socket_that_is_not_there_yet(tmp_path):
    async def scene():
        heard = Heard()
        path = str(tmp_path / "late.sock")
        task = asyncio.create_task(EngineLink(path, heard).run())
        await asyncio.sleep(0)
        async with await asyncio.start_unix_server(lambda r, w: w.close(), path):
            assert await heard.next() == "connected"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())


def test_the_supervisors_line_answers_tells_sessions_and_ends(tmp_path):
    async def scene():
        ours, theirs = socket.socketpair()
        sessions = asyncio.Queue()
        link = SupervisorLink(os.dup(ours.fileno()), sessions.put_nowait)
        ours.close()
        with pytest.raises(LinkLost):
            await link.call(StopSession(session="a"))
        running = asyncio.create_task(link.run())
        reader, writer = await asyncio.open_connection(sock=theirs)
        supervisor = Peer(reader, writer, Request)
        supervisor.say(Sessions(sessions=()))
        assert await sessions.get() == Sessions(sessions=())
        call = asyncio.create_task(link.call(StopSession(session="a")))
        asked = await supervisor.hear()
        assert asked.session == "a"
        supervisor.say(Answer(call=asked.call, ok=True))
        assert (await call).ok
        supervisor.close()
        await running

    asyncio.run(scene())
