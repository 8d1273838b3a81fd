"""An LSL sender that does what senders should not, when a line on its stdin says so.

    python benchmarks/fault_sender.py NAME

Words: ``normal``; ``nan``, ``flat``, ``rail`` (all channels); ``drop`` (60 ms of samples never
come), ``duplicate`` (the last 60 ms again), ``jump SECONDS`` (its clock), ``jumps SECONDS N``
(there and back with each chunk, N times); ``vanish``; ``return RATE_HZ``; ``forge`` (a stranger
bears its name and source id instead of it), ``honest``.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.scheduling import favour  # noqa: E402 - found by the line above
from devices.liblsl import load_pylsl  # noqa: E402

RATE_HZ = 500.0
CHUNK = 5
N_CHANNELS = 8


def outlet(name: str, rate_hz: float, first: str) -> Any:
    """Announce a stream of voltages whose channels are named after `first`."""
    lsl = load_pylsl()
    info = lsl.StreamInfo(name, "EEG", N_CHANNELS, rate_hz, lsl.cf_float32, f"faults-{name}")
    channels = info.desc().append_child("channels")
    for i in range(N_CHANNELS):
        channel = channels.append_child("channel")
        channel.append_child_value("label", f"{first}{i}")
        channel.append_child_value("unit", "microvolts")
    return lsl.StreamOutlet(info, CHUNK)


class Sender:
    """Sends a chunk every 10 ms, and changes when it is told to."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._outlet: Any = outlet(name, RATE_HZ, "C")
        self._noise = np.random.default_rng(0).normal(0.0, 20.0, (4096, N_CHANNELS))
        self._kind = "normal"
        self._offset_s = 0.0
        self._n = self._n_dropped = self._n_jumps = 0
        self._jump_s = 0.0
        self._last: deque[tuple[Any, float]] = deque(maxlen=6)

    def heed(self, words: list[str]) -> None:
        """Change."""
        match words:
            case ["jump", seconds]:
                self._offset_s += float(seconds)
            case ["jumps", seconds, n]:
                self._jump_s, self._n_jumps = float(seconds), int(n)
            case ["drop"]:
                self._n_dropped = 6
            case ["duplicate"]:
                for chunk in self._last if self._outlet is not None else ():
                    self._outlet.push_chunk(*chunk)
            case ["vanish"]:
                self._outlet = None
            case ["return", rate_hz]:
                self._outlet = outlet(self._name, float(rate_hz), "C")
            case ["forge"]:
                self._outlet = None
                self._outlet = outlet(self._name, RATE_HZ, "X")
            case ["honest"]:
                self._kind, self._offset_s, self._outlet = "normal", 0.0, None
                self._outlet = outlet(self._name, RATE_HZ, "C")
            case [kind]:
                self._kind = kind

    def send(self, stamp_s: float) -> None:
        """Send the next chunk, whose last sample was taken at `stamp_s`."""
        at = self._n * CHUNK % (len(self._noise) - CHUNK)
        self._n += 1
        values = self._noise[at : at + CHUNK].astype(np.float32)
        if self._kind == "nan":
            values[:] = np.nan
        elif self._kind in ("flat", "rail"):
            values[:] = 0.0 if self._kind == "flat" else 187_500.0
        if self._n_dropped:
            self._n_dropped -= 1
            return
        if self._n_jumps:
            self._offset_s += self._jump_s
            self._jump_s, self._n_jumps = -self._jump_s, self._n_jumps - 1
        if self._outlet is not None:
            self._last.append((values, stamp_s + self._offset_s))
            self._outlet.push_chunk(*self._last[-1])


def main() -> None:
    """Send until stdin ends."""
    favour()  # a headset does not wait for a processor
    sender = Sender(sys.argv[1])
    words: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            words.put(line)
        words.put(None)

    threading.Thread(target=listen, daemon=True).start()
    due_s = time.monotonic()
    while True:
        due_s = max(due_s + CHUNK / RATE_HZ, time.monotonic() - 0.05)
        time.sleep(max(0.0, due_s - time.monotonic()))
        while not words.empty():
            word = words.get()
            if word is None:
                return
            sender.heed(word.split())
            sys.stdout.write(f"{time.monotonic()}\n")
            sys.stdout.flush()
        sender.send(due_s)


if __name__ == "__main__":
    main()
