"""``bci record``: a session without a server, to disk."""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bci_server.cli.outcome import CommandError, Exit
from bci_server.cli.screen import JsonOption, activity, note, results, write_json

if TYPE_CHECKING:
    from bci_server.children import EngineChild
    from bci_server.control import EngineMessage
    from bci_server.wire import StatusMessage
    from decoders.gathering import Progress

__all__ = ["record"]

_LOOK_S = 0.5
_END_S = 30.0
"""How long the disk may take to end a recording in good order."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded; as JSON, the result of the command."""

    file: str
    n_samples: int
    n_lost: int
    state: str
    reason: str


def record(
    session: Annotated[Path, typer.Argument(metavar="SESSION.toml", help="The session file.")],
    participant: Annotated[
        str, typer.Option(help="The participant's code; instead of the session file's.")
    ] = "",
    session_label: Annotated[
        str, typer.Option("--session", help="Which session it is; instead of the file's.")
    ] = "",
    task: Annotated[str, typer.Option(help="What is done; instead of the file's.")] = "",
    folder: Annotated[
        Path | None, typer.Option(help="Where recordings go; instead of the file's.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="A model instead of the one that the session names.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option(min=0.1, help="End after so many seconds of samples.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Record a session until Ctrl-C: samples, markers, and what the decoder makes of them.

    Without a model yet, samples and markers are recorded, to calibrate on.
    """
    from bci_server.children import EngineChild, Served
    from bci_server.config import load_session

    described = load_session(session)
    changes = {"participant": participant, "session": session_label, "task": task}
    given: dict[str, object] = {key: value for key, value in changes.items() if value}
    if folder is not None:
        given["folder"] = str(folder.absolute())
    if described.record is None:
        if not participant:
            raise CommandError(
                f'{session} has no [record] section; add one with participant = "…" (a code), '
                "or give --participant"
            )
        given.setdefault("folder", str(session.absolute().parent / "recordings"))
    if not (model or described.model).exists():
        note(f"There is no model at {model or described.model}: nothing is decoded, only recorded.")
    # What is wrong is said before anything starts.
    where = described.with_record(given).record
    assert where is not None
    served = Served(described.name, session, model=model, record=given)
    with tempfile.TemporaryDirectory(prefix="bci-record-") as run_folder:
        engine = EngineChild(served, Path(run_folder))
        try:
            watched = _watch(engine, duration, shown=not as_json)
        finally:
            engine.close()
    recording = _result(watched, Path(where.folder))
    if as_json:
        write_json(recording)
    elif recording.file:
        lost = f", {recording.n_lost:,} lost" if recording.n_lost else ""
        results().print(f"{recording.file}: {recording.n_samples:,} samples{lost}", markup=False)
    if recording.state != "ended":
        raise CommandError(recording.reason, Exit.FAILED)


@dataclass
class _Watched:
    """What was heard of the engine."""

    file: str = ""
    n_lost: int = 0
    alarms: tuple[str, ...] = ()
    state: str = "failed"
    reason: str = "the engine died; see the messages above"
    has_gone: bool = False

    def take(self, message: EngineMessage) -> None:
        """Take a message in."""
        from bci_server.control import Goodbye
        from bci_server.wire import StatusMessage

        if isinstance(message, Goodbye):
            self.state, self.reason, self.has_gone = message.state, message.reason, True
        elif isinstance(message, StatusMessage):
            if message.recording is not None:
                self.file, self.n_lost = message.recording.file, message.recording.n_lost
            for alarm in set(message.alarms) - set(self.alarms):
                note(f"Alarm: {alarm.replace('_', ' ')}")
            self.alarms = message.alarms


def _watch(engine: EngineChild, duration_s: float | None, *, shown: bool) -> _Watched:
    """Start the engine, show how it does, end it when asked to, and see it out."""
    import msgspec

    from bci_server.control import EngineMessage
    from bci_server.link.frames import Frames

    watched, frames = _Watched(), Frames()
    decode = msgspec.msgpack.Decoder(EngineMessage).decode
    kill_at_s: float | None = None
    with _interrupts() as interrupted, socket.socket(socket.AF_UNIX) as line:
        engine.start()
        line.connect(engine.record().socket)
        with activity(shown=shown) as tell, selectors.DefaultSelector() as selector:
            selector.register(line, selectors.EVENT_READ)
            selector.register(interrupted, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select(_LOOK_S)}
                is_enough = interrupted in ready
                if is_enough:
                    interrupted.recv(4096)
                if line in ready:
                    if not (data := line.recv(65536)):
                        break
                    seconds = _take(watched, map(decode, frames.feed(data)), tell)
                    is_enough |= duration_s is not None and seconds >= duration_s
                assert engine.process is not None
                if not ready and engine.process.poll() is not None:
                    break  # it died before it took the line, which then never ends
                if kill_at_s is None:
                    if is_enough:
                        kill_at_s = time.monotonic() + _END_S
                        engine.process.terminate()  # takes as long as the disk needs
                elif time.monotonic() >= kill_at_s:
                    engine.kill()
        assert engine.process is not None
        engine.process.wait()
        engine.bury()
    if kill_at_s is not None and not watched.file and not watched.has_gone:
        # Asked so early that it could not say goodbye yet; nothing was recorded.
        watched.state, watched.reason = "ended", "interrupted before it began"
    return watched


def _take(watched: _Watched, messages: Iterable[EngineMessage], tell: Progress) -> float:
    """Take messages in and show them; return how many seconds are recorded by them."""
    from bci_server.wire import StatusMessage

    seconds = 0.0
    for message in messages:
        watched.take(message)
        if isinstance(message, StatusMessage):
            seconds = max(seconds, _seconds(message))
            tell(watched.file or message.reason, 1.0 + _seconds(message))
    return seconds


def _seconds(status: StatusMessage) -> float:
    """Return how many seconds of samples are recorded."""
    if status.recording is None or not status.rate_hz:
        return 0.0
    return status.recording.n_samples / status.rate_hz


def _result(watched: _Watched, folder: Path) -> Recording:
    from devices.recording.checksums import read_checksums

    found = [] if not watched.file else list(folder.rglob(watched.file))
    if not found:
        return Recording("", 0, watched.n_lost, watched.state, watched.reason)
    sums = read_checksums(found[0])
    n_samples = (
        0 if sums is None else int(sums.records["n_samples"][sums.records["stream"] == 1].sum())
    )
    return Recording(str(found[0]), n_samples, watched.n_lost, watched.state, watched.reason)


@contextlib.contextmanager
def _interrupts() -> Iterator[socket.socket]:
    """Give a socket that is readable after Ctrl-C or SIGTERM, instead of their usual effect."""
    woken, wake = socket.socketpair()
    with woken, wake:
        wake.setblocking(False)
        before = {
            number: signal.signal(number, lambda number, where: wake.send(b"!"))
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield woken
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
