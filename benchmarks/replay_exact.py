"""Run sessions through the engine's loop with its recorder, replay them, and compare to the bit.

    python benchmarks/replay_exact.py DATA [--count 50] [--seed 0]

DATA is the folder of the test recordings. The sources take turns: a simulated EEG; the EEG of
``eegmmi_s001``; the spikes of ``m1_stevenson``; ``xdf_lsl/clock_resets.xdf``, whose clock was reset
in the middle; and the simulator and the EEG again, sent over LSL at forty times their speed. On
its way to the engine each is cut anew at random, loses stretches, holds blocks that are not
numbers, and has markers that come late; meanwhile a client marks events. Each session is recorded
by the engine itself, and then replayed as fast as it can be. It counts as *equal* when the hash of
all that the decoder said is the same, and no line of it differs.
"""

from __future__ import annotations

import argparse
import math
import os
import select
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bci_server.config import Session, parse_session
from bci_server.control import Goodbye, Mark, Shutdown
from bci_server.engine import conduct
from bci_server.link.engine_end import EngineEnd
from bci_server.link.frames import frame
from bci_server.replay import Replayed, recorded_session, replay
from devices.adapters.lsl import Lsl
from devices.adapters.replay import Replay
from devices.clock import MONOTONIC, Clock
from devices.device import Device, Health, Stream
from devices.discovery import StreamMatch
from devices.liblsl import LslConfig
from devices.outlet import Publisher, forward
from devices.recording.recorded import Recorded
from devices.signal import Chunk, Marker

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.replay_sources import LSL_SPEED, Source, sources

_LOOK_S = 60.0


@dataclass(frozen=True)
class Spoiled:
    """A device whose chunks are cut anew at random, with losses, and markers that come late."""

    device: Device
    seed: int
    with_stamps: bool

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        """Open it."""
        return _SpoiledStream(self.device.open(clock), self)


class _SpoiledStream(Stream):
    def __init__(self, inner: Stream, how: Spoiled) -> None:
        self._inner = inner
        self._rng = np.random.default_rng(how.seed)
        self._with_stamps = how.with_stamps
        self.signal = inner.signal
        self.truth_signal = inner.truth_signal
        self.identity = inner.identity
        self._left: tuple[Chunk, NDArray[np.float64] | None] | None = None
        self._own = np.empty(0) if how.with_stamps else inner.sender_times()
        self._is_lost = False
        self._late: list[tuple[int, Marker]] = []
        self._n_reads = 0

    def read(self, timeout_s: float) -> Chunk | None:
        if self._left is None and not self._fetch(timeout_s):
            return None
        assert self._left is not None
        chunk, own = self._left
        self._left = None
        self._n_reads += 1
        if len(chunk) > 1 and self._rng.random() < 0.6:
            at = int(self._rng.integers(1, len(chunk)))
            after = None if own is None else own[at:]
            self._left = Chunk(chunk.times[at:], chunk.values[at:]), after
            chunk, own = Chunk(chunk.times[:at], chunk.values[:at], chunk.gap), _before(own, at)
        if self._rng.random() < 0.004:
            chunk.values[:, self._rng.integers(chunk.values.shape[1])] = np.nan
        self._own = own
        return chunk

    def _fetch(self, timeout_s: float) -> bool:
        """Read what comes next; False if nothing does, or what did was lost on the way."""
        read = self._inner.read(timeout_s)
        if read is None:
            return False
        if self._rng.random() < 0.004:
            self._is_lost = True
            return False
        times = read.times.copy()
        own = self._inner.sender_times()
        own = None if own is None else own.copy()
        gap = read.gap or self._is_lost
        self._left = Chunk(times, read.values.copy(), gap), own
        if self._with_stamps:
            self._left = self._left[0], times * (1 + 3e-6) + 1e5 / 3
        self._is_lost = False
        return True

    def sender_times(self) -> NDArray[np.float64] | None:
        return self._own

    def take_markers(self) -> tuple[Marker, ...]:
        for marker in self._inner.take_markers():
            late = int(self._rng.integers(1, 80)) if self._rng.random() < 0.3 else 0
            self._late.append((self._n_reads + late, marker))
        due = tuple(m for n, m in self._late if n <= self._n_reads)
        self._late = [(n, m) for n, m in self._late if n > self._n_reads]
        return due

    def take_truth(self) -> Chunk | None:
        return self._inner.take_truth()

    def health(self) -> Health:
        return self._inner.health()

    def close(self) -> None:
        self._inner.close()


def _before(stamps: NDArray[np.float64] | None, at: int) -> NDArray[np.float64] | None:
    return None if stamps is None else stamps[:at]


@dataclass(frozen=True)
class Outcome:
    """What came of one session."""

    source: str
    replayed: Replayed
    n_gaps: int
    n_bad: int
    n_markers: int
    n_events: int
    n_chunks: int


def one_session(source: Source, seed: int, folder: Path) -> Outcome:
    """Run one session through the engine, and replay it."""
    path = run_session(source, seed, folder)
    replayed = replay(Replay(str(path), math.inf), *recorded_session(path))
    with Recorded.open(path) as recorded:
        turns = list(recorded.turns())
    shutil.rmtree(folder / f"sub-P{seed}")
    return Outcome(
        source.name,
        replayed,
        n_gaps=sum(t.gap for t in turns),
        n_bad=sum(not np.isfinite(t.values).all() for t in turns),
        n_markers=sum(len(t.markers) for t in turns),
        n_events=sum(len(t.events) for t in turns),
        n_chunks=len(turns),
    )


def run_session(source: Source, seed: int, folder: Path) -> Path:
    """Run one session through the engine; return its recording."""
    text = source.session.text + f'\n[record]\nparticipant = "P{seed}"\nfolder = "{folder}"\n'
    session = parse_session(text, folder)
    device = source.device(seed)
    if source.over_lsl:
        name = f"exact-{os.getpid()}-{seed}"
        markers = StreamMatch(name=f"{name}-markers")
        receiving = Lsl(name=name, markers=markers, timeout_s=_LOOK_S)
        with _sent(device, name) as is_sent:
            _run(session.with_device(Spoiled(receiving, seed, False)), seed, folder, is_sent)
    else:
        _run(session.with_device(Spoiled(device, seed, seed % 2 == 0)), seed, folder)
    (path,) = folder.glob(f"sub-P{seed}/**/*.xdf")
    return path


def main() -> int:
    """Run it all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{'session':22}{'chunks':>8}{'gaps':>6}{'NaN':>6}{'markers':>9}{'events':>8}"
          f"{'outputs':>9}  result")  # fmt: skip
    n_equal = 0
    with _isolated_lsl(), tempfile.TemporaryDirectory(prefix="replay-exact-") as folder:
        every = sources(options.data, Path(folder))
        for k in range(options.count):
            seed = options.seed + k
            o = one_session(every[k % len(every)], seed, Path(folder))
            is_equal = o.replayed.is_equal and o.replayed.n_outputs > 0
            n_equal += is_equal
            said = "equal" if is_equal else f"DIFFERS: {o.replayed}"
            print(f"{o.source:22}{o.n_chunks:8}{o.n_gaps:6}{o.n_bad:6}{o.n_markers:9}"
                  f"{o.n_events:8}{o.replayed.n_outputs:9}  {said}", flush=True)  # fmt: skip
    print(f"{n_equal}/{options.count} equal")
    return 0 if n_equal == options.count else 1


def _run(session: Session, seed: int, folder: Path, is_sent: threading.Event | None = None) -> None:
    path = folder / f"{seed}.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(path))
        listener.listen()
        client.connect(str(path))
        end = EngineEnd(listener)
        over = threading.Event()
        thread = threading.Thread(target=_mark, args=(client, seed, over, is_sent))
        thread.start()
        try:
            ending = conduct(session, end)
            end.close(Goodbye(state=ending.state, reason=ending.reason))
        finally:
            over.set()
            thread.join()
    path.unlink()
    if ending.state != "ended":
        raise RuntimeError(f"{session.name}: {ending.reason}\n{ending.trace}")


def _mark(
    client: socket.socket, seed: int, over: threading.Event, is_sent: threading.Event | None
) -> None:
    """Mark something now and then, as clients do, and listen; end it when all was sent."""
    rng = np.random.default_rng(seed)
    while not over.wait(float(rng.uniform(0.0, 0.05))):
        try:
            is_over = is_sent is not None and is_sent.is_set()
            control = Shutdown() if is_over else Mark(label=f"hit {rng.integers(9)}")
            client.sendall(frame(msgspec.msgpack.encode(control)))
            while select.select([client], [], [], 0)[0]:
                if not client.recv(1 << 16):
                    return
        except OSError:  # the session is over
            return


@contextmanager
def _sent(device: Device, name: str) -> Iterator[threading.Event]:
    """Send what a device gives over LSL, once somebody receives it; tell when all was sent."""
    stop, is_sent = threading.Event(), threading.Event()

    def send() -> None:
        with device.open() as stream:
            publisher = Publisher(stream, name, speed=LSL_SPEED)
            try:
                publisher.wait_for_consumers(_LOOK_S)
                forward(stream, publisher, stop)
                stop.wait(0.5)  # until the last samples have arrived
                is_sent.set()
                stop.wait(_LOOK_S)  # a receiver whose sender is gone would look for it
            finally:
                publisher.close()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield is_sent
    finally:
        stop.set()
        thread.join()


@contextmanager
def _isolated_lsl() -> Iterator[None]:
    """Keep to a session of its own, so that nobody on the network is seen or disturbed."""
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
        config.write(LslConfig.isolated().to_ini())
        config.flush()
        os.environ["LSLAPICFG"] = config.name
        yield


if __name__ == "__main__":
    sys.exit(main())
