"""The process that works on an order: ``python -m decoders.training.order_worker FOLDER``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

from decoders.training.beside import serve
from decoders.training.worker import become_worker

__all__ = ["main"]


def main(folder: str) -> None:
    """Do what is ordered in `folder`; end at once when standard input is closed."""
    become_worker()
    with redirect_stdout(sys.stderr):  # what a library prints is no word of ours
        said = serve(Path(folder))
    sys.stdout.buffer.write(said)


if __name__ == "__main__":
    main(sys.argv[1])
