"""The process that trains: ``python -m decoders.training.worker FOLDER``, started by a job."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from decoders.training.job import Job, serve

__all__ = ["main"]

_NICENESS = 10


def main(folder: str) -> None:
    """Do the job in `folder`; end at once when standard input is closed."""
    os.nice(_NICENESS)
    threading.Thread(target=_end_with_the_parent, name="lifeline", daemon=True).start()
    out = sys.stdout.buffer

    def say(line: bytes) -> None:
        out.write(line)
        out.flush()

    serve(Job(Path(folder)), say)


def _end_with_the_parent() -> None:
    while os.read(0, 1):
        pass
    # Checkpoints are whole at any moment, so nothing is lost that has been said to be done.
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
