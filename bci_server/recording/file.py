"""One recording of a session: which streams it has, and what is written to each.

All of them are XDF streams of one file. What a person looks at is first: the signal as it came
with the sender's stamps and clock offsets, the markers, the truth. What an exact replay needs
besides is in streams whose type begins with ``bci.``:

``times``     when each sample was, on this machine's clock, as the decoder saw it
``chunks``    how the samples arrived: how many, when, and whether some were missing before
``feed``      which markers and events went in with which chunk
``events``    the events as they were bound to samples
``outputs``   what the decoder said, line by line (`decoders.transcript`)
``messages``  what clients were told of commands and of the session's state
``log``       the start, what was lost, the end with the outputs' hash

A samples chunk of the signal is what one read gave. Its row in ``chunks`` comes last: who reads a
file that was torn off goes by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from bci_server.recording.items import (
    Content,
    Further,
    FurtherOffset,
    Item,
    Lost,
    Said,
    Truth,
)
from bci_server.recording.names import Modality
from bci_server.wire import CommandMessage, StatusMessage
from decoders.decoder import Event
from decoders.transcript import Transcript, plain_number
from devices.recording.checked_file import CheckedFile
from devices.recording.recorded import Turn
from devices.recording.xdf_chunks import parse_header
from devices.recording.xdf_writer import XdfStream, XdfWriter
from devices.signal import Marker

__all__ = ["RecordingFile"]

_KINDS: dict[Modality, str] = {
    "eeg": "EEG",
    "ieeg": "ECoG",
    "meg": "MEG",
    "emg": "EMG",
    "nirs": "NIRS",
    "beh": "Control",
}
_BOUNDARY_BYTES = 4 << 20


class RecordingFile:
    """Writes one recording.

    Parameters
    ----------
    file
        The new file. Closed by `end`.
    content
        What goes in.
    now_s
        The time.
    further
        Further streams that are recorded as they are: each one's description in XDF's XML.

    Attributes
    ----------
    n_samples
        Samples of the signal that are written: acknowledged, as ``docs/recording-integrity.md``
        says.

    Raises
    ------
    OSError
        It cannot be written.
    """

    def __init__(
        self,
        file: CheckedFile,
        content: Content,
        now_s: float,
        further: Sequence[bytes] = (),
    ) -> None:
        self.file = file
        self.n_samples = 0
        self._content = content
        self._transcript = Transcript()
        self._encode = msgspec.json.Encoder(enc_hook=plain_number).encode
        self._own_s = math.nan
        self._offset_s = math.nan
        self._row = np.empty((1, 4))
        self._xdf = XdfWriter(file.put, _BOUNDARY_BYTES)
        self._add_streams(content)
        self._further = [self._add_further(header) for header in further]
        self._say(self._log, now_s, {"log": "start", "session": content.name})

    def write(self, item: Item) -> None:
        """Write one item: all of it or, if that fails, nothing.

        Raises
        ------
        OSError
            It could not be written. The file is as if it had not come.
        """
        line = self._transcript.add(item.sample, item.outputs) if isinstance(item, Said) else ""
        counts = self._xdf.counts()
        try:
            with self.file.together():
                self._write(item, line)
        except OSError:
            self._xdf.recall(counts)
            raise

    def skip(self, item: Item) -> None:
        """Leave an item out; the outputs' hash is of all that was said, recorded or not."""
        if isinstance(item, Said):
            self._transcript.add(item.sample, item.outputs)

    def end(self, now_s: float, state: str, reason: str, lost: Lost | None = None) -> None:
        """Write what was lost last, how it ended and the footers, and make it durable.

        Raises
        ------
        OSError
            That failed. The file is readable all the same.
        """
        counts = self._xdf.counts()
        try:
            with self.file.together():
                if lost is not None:
                    self._write(lost, "")
                about = {
                    "state": state,
                    "reason": reason,
                    "outputs_sha256": self._transcript.sha256,
                }
                self._say(self._log, now_s, {"log": "end", **about})
                self._xdf.close()
        except OSError:
            self._xdf.recall(counts)
            raise
        finally:
            self.file.close()

    def _add_streams(self, content: Content) -> None:
        signal = content.signal
        about = {"bci": {"version": "1", **content.about}}
        self._signal = self._xdf.add_stream(
            XdfStream(
                content.name,
                _KINDS[content.modality],
                content.format,
                signal.channels,
                signal.unit,
                signal.rate_hz,
                content.identity,
                about,
            )
        )
        self._markers = self._text("markers", "Markers")
        self._truth = None
        if (truth := content.truth) is not None:
            self._truth = self._xdf.add_stream(
                XdfStream(
                    f"{content.name} truth",
                    "Truth",
                    "float32",
                    truth.channels,
                    truth.unit,
                    truth.rate_hz,
                    f"{content.identity}:truth",
                )
            )
        self._times = None
        if content.has_sender_times:
            self._times = self._numbers("times", ("time",), "s")
        self._chunks = self._numbers(
            "chunks", ("first", "n", "gap", "received"), ("1", "1", "1", "s")
        )
        self._feed = self._text("feed", "bci.feed")
        self._events = self._text("events", "bci.events")
        self._outputs = self._text("outputs", "bci.outputs")
        self._messages = self._text("messages", "bci.messages")
        self._log = self._text("log", "bci.log")

    def _add_further(self, header: bytes) -> int:
        layout = parse_header(header)
        stream = XdfStream(
            layout.name,
            layout.kind,
            layout.format,
            tuple(str(i) for i in range(layout.n_channels)),
            rate_hz=layout.rate_hz,
        )
        return self._xdf.add_stream(stream, header)

    def _numbers(self, what: str, channels: tuple[str, ...], units: str | tuple[str, ...]) -> int:
        name, source = f"{self._content.name} {what}", f"{self._content.identity}:{what}"
        return self._xdf.add_stream(
            XdfStream(name, f"bci.{what}", "double64", channels, units, 0.0, source)
        )

    def _text(self, what: str, kind: str) -> int:
        name, source = f"{self._content.name} {what}", f"{self._content.identity}:{what}"
        return self._xdf.add_stream(XdfStream(name, kind, "string", (what,), "", 0.0, source))

    def _write(self, item: Item, line: str) -> None:
        match item:
            case Turn():
                self._write_fed(item)
            case Said():
                self._write_said(item, line)
            case StatusMessage():
                self._write_offset(item.clock_offset_s)
                self._say(self._messages, item.ledger.decoded_s, item)
            case CommandMessage():
                self._say(self._messages, item.ledger.decoded_s, item)
            case Truth():
                assert self._truth is not None
                self._xdf.write(self._truth, item.values, item.times)
            case Further(stream, chunk):
                to = self._further[stream]
                if chunk.values is None:
                    self._xdf.write_texts(to, chunk.texts, chunk.stamps)
                else:
                    self._xdf.write(to, chunk.values, chunk.stamps)
            case FurtherOffset(stream, time_s, offset_s):
                self._xdf.write_clock_offset(self._further[stream], time_s, offset_s)
            case Lost():
                self._write_lost(item)

    def _write_fed(self, fed: Turn) -> None:
        stamps = fed.times if fed.sender_times is None else fed.sender_times
        self._xdf.write(self._signal, fed.values, stamps)
        if self._times is not None:
            self._xdf.write(self._times, fed.times[:, None], stamps)
        self._write_markers((*fed.markers, *self._markers_of(fed)))
        if fed.markers or fed.events:
            document = {"first": fed.first, "markers": fed.markers, "events": fed.events}
            self._say(self._feed, fed.received_s, document)
        self._row[0] = fed.first, len(fed.times), fed.gap, fed.received_s
        self._xdf.write(self._chunks, self._row, self._row[0, 3:])
        self._own_s = float(stamps[-1])
        self.n_samples += len(fed.times)

    def _write_markers(self, markers: tuple[Marker, ...]) -> None:
        labels = [m.label for m in markers]
        self._xdf.write_texts(self._markers, labels, [m.time_s for m in markers])

    def _markers_of(self, fed: Turn) -> tuple[Marker, ...]:
        """Return what clients marked, for readers that know markers only."""
        period_s = 1.0 / self._content.signal.rate_hz
        first_s = float(fed.times[0])
        return tuple(
            Marker(first_s + (e.sample - fed.first) * period_s, e.label)
            for e in fed.events
            if e.kind == "marker"
        )

    def _write_lost(self, lost: Lost) -> None:
        self._write_markers(lost.markers)
        about = {"first": lost.first, "n": lost.n_samples, "why": lost.why, "events": lost.events}
        self._say(self._log, lost.time_s, {"log": "lost", **about})

    def _write_said(self, said: Said, line: str) -> None:
        for event in said.events:
            self._say(self._events, said.time_s, {"known": said.sample, **_fields(event)})
        if line:
            self._xdf.write_texts(self._outputs, [line], [said.time_s])

    def _write_offset(self, offset_s: float) -> None:
        if self._times is not None and math.isfinite(self._own_s):
            self._xdf.write_clock_offset(self._signal, self._own_s, offset_s)

    def _say(self, stream: int, time_s: float, document: Any) -> None:
        self._xdf.write_texts(stream, [self._encode(document).decode()], [time_s])


def _fields(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields
