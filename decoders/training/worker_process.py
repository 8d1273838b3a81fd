"""How processes that train are started, and what they leave when they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

__all__ = ["ONE_THREAD", "last_words", "start"]

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_LAST = 2000


def start(module: str, folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start ``python -m module folder`` on one thread; what it says on stderr goes to `log`.

    It is to end when its standard input does, see `decoders.training.worker.become_worker`.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module, str(folder)],
        stdin=subprocess.PIPE,  # closed when this process dies: so does the worker
        stdout=subprocess.PIPE,
        stderr=log,
        env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        process_group=0,  # an interrupt from the terminal is this process's to answer
    )


def last_words(log: IO[bytes]) -> str:
    """Return the end of what a process has left in `log`."""
    log.seek(0)
    return log.read().decode(errors="replace")[-_LAST:]
