"""Further LSL streams that are recorded beside the session's own, each pulled by a thread."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from bci_server.recording.items import Further, FurtherOffset
from devices.device import DeviceError
from devices.raw_streams import RawStream

__all__ = ["FurtherStreams"]

_PULL_S = 0.2
_OFFSET_S = 5.0
_CLOCK_S = 0.7  # the first answer takes LSL about 0.6
_MOST_WAITING = 100_000

_log = logging.getLogger(__name__)


class FurtherStreams:
    """Pulls streams until it is closed.

    Parameters
    ----------
    streams
        The open streams. Closed with this.
    wake
        Called when something has come; returns at once.
    clock_now
        Tells when to ask for the senders' clocks again.

    Attributes
    ----------
    waiting
        What has come, oldest first; to be taken from the left.
    has_lost
        A sender is gone, or nobody took what came.
    """

    def __init__(
        self,
        streams: Sequence[RawStream],
        wake: Callable[[], None],
        clock_now: Callable[[], float],
    ) -> None:
        self.waiting: deque[Further | FurtherOffset] = deque()
        self.has_lost = False
        self._streams = tuple(streams)
        self._wake = wake
        self._now = clock_now
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._pull, args=(i,), name=f"further-{i}", daemon=True)
            for i in range(len(self._streams))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def headers(self) -> tuple[bytes, ...]:
        """What each stream says of itself."""
        return tuple(stream.header for stream in self._streams)

    def close(self) -> None:
        """End the threads; what has come until now waits still."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for stream in self._streams:
            stream.close()

    def _pull(self, index: int) -> None:
        stream, offset_due_s = self._streams[index], self._now()
        try:
            while not self._stop.is_set():
                if self._now() >= offset_due_s:
                    offset_due_s = self._now() + _OFFSET_S
                    if (measured := stream.clock_offset(_CLOCK_S)) is not None:
                        self._hand_over(FurtherOffset(index, *measured))
                if (chunk := stream.pull(_PULL_S)) is not None:
                    self._hand_over(Further(index, chunk))
        except DeviceError as error:
            _log.error("recording: %s", error)
            self.has_lost = True

    def _hand_over(self, item: Further | FurtherOffset) -> None:
        if len(self.waiting) < _MOST_WAITING:
            self.waiting.append(item)
            self._wake()
        else:
            self.has_lost = True
