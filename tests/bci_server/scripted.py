"""A device, a decoder and the loop's other partners that do what a script says, and record."""

import math
from collections import deque

import numpy as np

from decoders.output import Alternative, Command, Prediction, Token, continuous
from devices.device import EndOfStream, Health, Stream
from devices.signal import Chunk, Signal

SIGNAL = Signal(100.0, ("C3", "C4"), "uV")
_AROUND_ZERO = np.array([-0.25, 0.25, 0.0, 0.25, -0.25])


def samples(first, n, value=1.0, gap=False):
    """`n` samples of 100 Hz from the `first` on, whose last is stamped when it is due.

    Their mean is `value`, that of each channel over five samples too; no channel stands still.
    """
    index = np.arange(first, first + n)
    values = np.full((n, SIGNAL.n_channels), value, np.float32)
    values += np.outer(_AROUND_ZERO[index % 5], [1.0, -1.0]).astype(np.float32)
    return Chunk((index + 1) / SIGNAL.rate_hz, values, gap)


class ScriptedStream(Stream):
    """Plays ``(due_s, chunk or error)`` on a manual clock; then the stream is over."""

    def __init__(self, clock, script, signal=SIGNAL, markers=()):
        self.signal = signal
        self.identity = "scripted"
        self.script = deque(script)
        self.timeouts = []
        self.closed = False
        self.unsound = (np.inf, np.inf)
        self._clock = clock
        self._markers = list(markers)

    def read(self, timeout_s):
        self.timeouts.append(timeout_s)
        if not self.script:
            raise EndOfStream("the script is over")
        due_s, what = self.script[0]
        limit_s = self._clock.now() + timeout_s
        self._clock.sleep_until(min(due_s, limit_s))
        if due_s > limit_s:
            return None
        self.script.popleft()
        if isinstance(what, Exception):
            raise what
        return what

    def take_markers(self):
        now_s = self._clock.now()
        due = tuple(m for m in self._markers if m.time_s <= now_s)
        self._markers = [m for m in self._markers if m.time_s > now_s]
        return due

    def has_sound_times(self):
        start_s, end_s = self.unsound
        return not start_s <= self._clock.now() < end_s

    def health(self):
        return Health(effective_rate_hz=99.0, n_gaps=1, n_lost=7)

    def close(self):
        self.closed = True


class Recorder:
    """A sink that keeps what it is given, and when."""

    def __init__(self, clock):
        self._clock = clock
        self.messages = []
        self.times = []
        self.turns = []

    def put(self, message):
        self.messages.append(message)
        self.times.append(self._clock.now())

    def turn(self, now_s):
        self.turns.append(now_s)

    def of(self, topic):
        return [m for m in self.messages if m.topic == topic]

    def timed(self, topic):
        return [(t, m) for t, m in zip(self.times, self.messages, strict=True) if m.topic == topic]


class ScriptedControls:
    """Gives each control once its time has come; keeps the answers."""

    def __init__(self, clock, script=()):
        self._clock = clock
        self.script = deque(script)
        self.answers = []

    def take(self):
        if self.script and self.script[0][0] <= self._clock.now():
            return self.script.popleft()[1]
        return None

    def answer(self, answer):
        self.answers.append(answer)


class MeanVelocity:
    """A decoding: the block's mean is the velocity. Raises or lies where the mean tells it to."""

    def __init__(self, unit="m/s"):
        self.unit = unit

    def __call__(self, chunk, moment):
        if not len(chunk):
            return ()
        mean = float(chunk.values.mean())
        if mean == 666.0:
            raise ZeroDivisionError("the decoder divides by zero")
        if mean == 999.0:
            return (Command("velocity", ("vx",), (float("nan"),), self.unit),)
        return (Command("velocity", ("vx",), (mean,), self.unit, confidence=0.9),)


class Sides:
    """A decoding: the sign of the block's mean is left or right."""

    def __call__(self, chunk, moment):
        if not len(chunk):
            return ()
        p = 1.0 / (1.0 + float(np.exp(-chunk.values.mean())))
        return (Prediction(("left", "right"), (1.0 - p, p)),)


class Mean:
    """A decoding of a voice: the block's mean; no number where it is 999."""

    def __call__(self, chunk, moment):
        mean = float(chunk.values.mean())
        value = math.nan if mean == 999.0 else mean
        return (continuous("voice", ("mel1", "voicing"), (value, 1.0), "dB"),)


class Speller:
    """A decoding: the letter a, which is final with the second block."""

    def __init__(self):
        self._n = 0

    def __call__(self, chunk, moment):
        self._n += 1
        other = (Alternative("b", 0.25),)
        return (Token(1, "a", "character", self._n == 2, confidence=0.75, alternatives=other),)
