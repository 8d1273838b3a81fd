"""What a recording is of, and what is handed to it while the session runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bci_server.recording.names import Modality
from bci_server.wire import CommandMessage, StatusMessage
from decoders.decoder import Event
from decoders.output import Output
from devices.raw_streams import RawChunk
from devices.recording.recorded import Turn
from devices.recording.xdf_writer import Format
from devices.signal import Marker, Signal

__all__ = ["Content", "Further", "FurtherOffset", "Item", "Lost", "Said", "Truth"]


@dataclass(frozen=True)
class Content:
    """What is recorded of one session.

    Parameters
    ----------
    name
        The session's.
    identity
        The device's.
    signal, truth
        What comes from it.
    has_sender_times
        Somebody else stamped the samples.
    modality
        What is measured.
    format
        How the signal's values are stored; that of the values which come.
    about
        What is known of the session: its file's text, the model's hash, the participant's code.
    """

    name: str
    identity: str
    signal: Signal
    truth: Signal | None = None
    has_sender_times: bool = False
    modality: Modality = "eeg"
    format: Format = "float32"
    about: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """What came of one block: see `decoders.pipeline.Decoded`."""

    sample: int
    time_s: float
    outputs: Sequence[Output]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What was meant or done: (n,) seconds and (n, n_channels) values."""

    times: NDArray[np.float64]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Lost:
    """Samples that could not be recorded: from which on, how many, when this was known, why.

    The markers and events that went in with them are not lost.
    """

    first: int
    n_samples: int
    time_s: float
    why: str
    markers: tuple[Marker, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Further:
    """What came on a further stream: the stream's place in the list of them."""

    stream: int
    chunk: RawChunk


@dataclass(frozen=True, slots=True)
class FurtherOffset:
    """A measurement of a further stream's clock."""

    stream: int
    time_s: float
    offset_s: float


Item = Turn | Said | Truth | Lost | StatusMessage | CommandMessage | Further | FurtherOffset
