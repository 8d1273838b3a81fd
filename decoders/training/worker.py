"""The process that trains: ``python -m decoders.training.worker FOLDER``, started by a job."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from decoders.training.job import Job, serve

__all__ = ["become_worker", "main"]

_NICENESS = 10


def main(folder: str) -> None:
    """Do the job in `folder`; end at once when standard input is closed."""
    become_worker()
    out = sys.stdout.buffer

    def say(line: bytes) -> None:
        out.write(line)
        out.flush()

    serve(Job(Path(folder)), say)


def become_worker() -> None:
    """Let others go before, and end when the process does that holds standard input."""
    os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    threading.Thread(target=_end_with_the_parent, name="lifeline", daemon=True).start()


def _end_with_the_parent() -> None:
    while os.read(0, 1):
        pass
    # Checkpoints are whole at any moment, so nothing is lost that has been said to be done.
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
