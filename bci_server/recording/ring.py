"""Memory between two threads: one copies samples in, the other takes them out in the same order.

Everything is allocated at the start and touched once, so that no page fault meets the thread that
writes. There is no lock: each side moves its own end only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ring"]

_ALIGN = 8


class Ring:
    """A ring of bytes.

    Parameters
    ----------
    size
        In bytes.
    """

    def __init__(self, size: int) -> None:
        self._memory = np.empty(-(-size // _ALIGN) * _ALIGN, np.uint8)
        self._memory.fill(0)
        self._head = 0  # moved by the writer; both count all bytes that ever passed
        self._tail = 0  # moved by the reader

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return len(self._memory)

    @property
    def used(self) -> int:
        """Bytes that wait to be read."""
        return self._head - self._tail

    def reserve(self, n_bytes: int) -> NDArray[np.uint8] | None:
        """Return `n_bytes` in one piece to write to; None if there is not enough room now.

        Only the writer calls this. The piece is the reader's once the writer has told it of `end`.
        """
        n_bytes = -(-n_bytes // _ALIGN) * _ALIGN
        at = self._head % len(self._memory)
        skipped = len(self._memory) - at if at + n_bytes > len(self._memory) else 0
        if n_bytes + skipped > len(self._memory) - self.used:
            return None
        at = 0 if skipped else at
        self._head += skipped + n_bytes
        return self._memory[at : at + n_bytes]

    @property
    def end(self) -> int:
        """Where the newest piece ends; given back to `release` when it was read."""
        return self._head

    def release(self, end: int) -> None:
        """Give back everything up to `end`. Only the reader calls this."""
        self._tail = end
