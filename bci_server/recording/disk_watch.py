"""Makes a recording durable now and then, and looks how much room the disk has left."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable

from devices.clock import Clock
from devices.recording.checked_file import CheckedFile

__all__ = ["DiskWatch"]

_MINUTE_S = 60.0


class DiskWatch:
    """A thread of its own, since a synchronisation may take as long as the disk likes.

    Parameters
    ----------
    every_s
        How often.
    least_free
        Bytes; with less room, or less than a minute's worth, the disk is nearly full.
    current
        Returns the file that is written now; None while there is none.
    failed
        Told when the disk does not take it.
    clock
        Measures how fast the file grows.

    Attributes
    ----------
    is_nearly_full
        There is little room left.
    """

    def __init__(
        self,
        every_s: float,
        least_free: float,
        current: Callable[[], CheckedFile | None],
        failed: Callable[[OSError], None],
        clock: Clock,
    ) -> None:
        self.is_nearly_full = False
        self._every_s = every_s
        self._least_free = least_free
        self._current = current
        self._failed = failed
        self._clock = clock
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="recorder-sync", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End the thread; waits at most `timeout_s` for the disk."""
        self._ending.set()
        self._thread.join(timeout_s)

    def _watch(self) -> None:
        watched: CheckedFile | None = None
        size, now_s = 0, 0.0
        while not self._ending.wait(self._every_s):
            file = self._current()
            if file is not watched:
                watched, size, now_s = file, 0, self._clock.now()
                self.is_nearly_full = False
            if file is None:
                continue
            try:
                file.sync()
                free = shutil.disk_usage(file.path.parent).free
            except OSError as e:
                if self._current() is file:  # else it was closed meanwhile
                    self._failed(e)
                continue
            before, before_s = size, now_s
            size, now_s = file.size, self._clock.now()
            rate = (size - before) / max(now_s - before_s, self._every_s)
            self.is_nearly_full = free < max(self._least_free, _MINUTE_S * rate)
