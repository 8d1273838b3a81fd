"""How the decode thread gets its turn on a busy machine."""

from __future__ import annotations

import os
import sys
import threading
from typing import Literal

__all__ = ["Scheduling", "favour", "raise_priority", "stand_back"]

Scheduling = Literal["fifo", "nice", "normal"]

_FIFO_PRIORITY = 10
_NICENESS = -15
_BEHIND = 10


def raise_priority() -> Scheduling:
    """Give the calling thread, and those it starts, as much priority as is permitted.

    Returns
    -------
    Scheduling
        ``"fifo"``: before every ordinary thread (needs CAP_SYS_NICE or an RTPRIO limit).
        ``"nice"``: a larger share than others. ``"normal"``: neither was permitted.
    """
    if hasattr(os, "sched_setscheduler"):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_FIFO_PRIORITY))
        except PermissionError:
            pass
        else:
            return "fifo"
    try:
        os.nice(_NICENESS)
    except PermissionError:
        return "normal"
    return "nice"


def favour() -> bool:
    """Give this process a larger share than others, if that is permitted; say whether it is."""
    try:
        os.nice(_NICENESS)
    except PermissionError:
        return False
    return True


def stand_back() -> None:
    """Let others go before the calling thread, and what it starts; it may have inherited more."""
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) in (
        os.SCHED_FIFO,
        os.SCHED_RR,
    ):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    if sys.platform == "linux":  # elsewhere all threads of a process have one niceness
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BEHIND)
