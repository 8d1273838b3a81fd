"""A device is a recipe; opened, it is a stream.

Errors::

    DeviceError            all of them; the message is for the user: what, both values, the remedy
    ├── DeviceNotFound     nothing answers to this description (says what is there)
    ├── DeviceRefused      it is there, but not as described: format, unit, rate, values
    ├── DeviceLost         it was open and is gone for good
    └── DeviceChanged      it came back as something else: other rate, channels or identity
    EndOfStream            the recording is over; not an error
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from devices.clock import MONOTONIC, Clock
from devices.signal import Chunk, Event, Marker, Signal

__all__ = [
    "Device",
    "DeviceChanged",
    "DeviceError",
    "DeviceLost",
    "DeviceNotFound",
    "DeviceRefused",
    "EndOfStream",
    "Health",
    "Steered",
    "Stream",
]


class DeviceError(Exception):
    """Something is wrong with a device; the message is for its user."""


class DeviceNotFound(DeviceError):
    """Nothing answers to the description."""


class DeviceRefused(DeviceError):
    """The device is there but cannot be used as it is."""


class DeviceLost(DeviceError):
    """The device was open and is gone for good."""


class DeviceChanged(DeviceError):
    """The device came back as something else."""


class EndOfStream(Exception):
    """No further sample will come, and none is missing."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a stream is doing, since it was opened.

    Parameters
    ----------
    effective_rate_hz
        Samples a second as measured over the last seconds; 0 before it is known.
    clock_offset_s
        What was added to the sender's stamps to bring them onto this machine's clock.
    n_samples
        Samples read.
    n_gaps
        Times that samples were missing.
    n_lost
        Samples that are known to be missing.
    n_bad
        Values that were not finite.
    n_jumps
        Jumps of the sender's clock.
    """

    effective_rate_hz: float = 0.0
    clock_offset_s: float = 0.0
    n_samples: int = 0
    n_gaps: int = 0
    n_lost: int = 0
    n_bad: int = 0
    n_jumps: int = 0


class Stream(ABC):
    """An open device. Closing it twice is harmless; a closed one is not opened again.

    Attributes
    ----------
    signal
        What `read` returns.
    truth_signal
        What `take_truth` returns, where the device knows what was meant or done (a simulator's
        intent, a recording's kinematics); None where it does not.
    identity
        Names this very source (an LSL source id, a file's name): two streams of one identity are
        the same thing. Holds nothing personal.
    """

    signal: Signal
    truth_signal: Signal | None = None
    identity: str = ""

    @abstractmethod
    def read(self, timeout_s: float) -> Chunk | None:
        """Return the next samples, waiting for them at most `timeout_s`; None if none came.

        The chunk is never empty; its arrays hold until the next call. Samples come in order,
        each once.

        Raises
        ------
        EndOfStream
            There will be no more.
        DeviceLost, DeviceChanged, DeviceRefused
            It cannot go on.
        """

    def sender_times(self) -> NDArray[np.float64] | None:
        """Return the sender's own stamps of the chunk that `read` returned last, for recordings.

        (n,) in seconds on the sender's clock; they hold as long as the chunk. None where nobody
        stamped the samples before this machine did: then the chunk's times are the stamps.
        """
        return None

    def take_markers(self) -> tuple[Marker, ...]:
        """Return the markers that have arrived since the last call, oldest first.

        A marker may arrive before or after the samples of its time.
        """
        return ()

    def take_events(self) -> tuple[Event, ...]:
        """Return what goes to the decoder with the chunk read last, bound to samples already.

        Only a replay has such: what clients said in the session that it replays.
        """
        return ()

    def due_s(self, time_s: float) -> float:
        """Return when, on this machine's clock, a time of the last chunk was.

        They are the same but for a replay, whose chunks keep the times that they were decoded
        with.
        """
        return time_s

    def has_sound_times(self) -> bool:
        """Say whether the times of samples tell how old they are.

        They do not for a moment after a sender's clock has jumped.
        """
        return True

    def take_truth(self) -> Chunk | None:
        """Return the truth that belongs to what was read since the last call, if any."""
        return None

    def health(self) -> Health:
        """Return how the stream is doing."""
        return Health()

    @abstractmethod
    def close(self) -> None:
        """Let go of everything the stream holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@runtime_checkable
class Steered(Protocol):
    """A stream that can stand still and change its speed: a replay."""

    @property
    def is_paused(self) -> bool:
        """Whether it stands still."""

    def pause(self) -> None:
        """Stand still until `resume`; harmless when repeated."""

    def resume(self) -> None:
        """Go on, after a gap; harmless when it does not stand still."""

    def set_speed(self, speed: float) -> None:
        """Go on faster or slower.

        Raises
        ------
        ValueError
            The speed is not positive.
        """


class Device(Protocol):
    """A recipe: a frozen dataclass that is the ``[device]`` section of the session file.

    A device that makes its own samples (a simulator, a recording) has a field
    ``speed: float = 1.0``: how many times faster than real it runs; ``inf`` is as fast as it can.
    It paces itself in `Stream.read` by absolute deadlines on the clock.
    """

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        """Start it.

        Raises
        ------
        DeviceError
            It cannot be opened; says why and what to do.
        """
