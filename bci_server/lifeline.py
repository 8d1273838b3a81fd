"""No orphans: a child process ends when its parent does, however that died."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

__all__ = ["hold"]

_PR_SET_PDEATHSIG = 1


def hold(fd: int, on_gone: Callable[[], None], grace_s: float = 1.0) -> None:
    """End this process when the other end of the pipe `fd` is closed.

    On Linux the kernel is asked, besides, to kill this process as soon as the parent's thread that
    started it is gone: that holds even where no thread of ours gets to run.

    Parameters
    ----------
    fd
        The reading end of a pipe whose only writing end the parent holds.
    on_gone
        Asks the process to end in good order; called on a thread of its own.
    grace_s
        How long it may take.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(
        target=_wait, args=(fd, on_gone, grace_s), name="lifeline", daemon=True
    ).start()


def _wait(fd: int, on_gone: Callable[[], None], grace_s: float) -> None:
    while os.read(fd, 1):
        pass
    on_gone()
    threading.Event().wait(grace_s)
    os._exit(1)
