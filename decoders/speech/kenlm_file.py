"""Reads an n-gram model with KenLM, which would tell its progress on the standard error.

It cannot be asked not to. So what the process writes there meanwhile is held back, and all of it
but the progress, such as KenLM's warnings or what another thread says, comes out afterwards.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from decoders.storage import ArtifactError

__all__ = ["read_kenlm"]

_STDERR = 2
_SLOW = b"Loading the LM will be faster if you build a binary file."
_SCALE = b"----5---10---15---20---"
_BAR = b"*"
_one_at_a_time = threading.Lock()


def read_kenlm(path: str, dictionary: Any) -> Any:
    """Return the model of a file for a Dictionary of flashlight-text.

    Raises
    ------
    ArtifactError
        It is none that KenLM reads; says why, in KenLM's words.
    """
    from flashlight.lib.text.decoder.kenlm import KenLM

    try:
        with _one_at_a_time, _without_progress(path):
            return KenLM(path, dictionary)
    except RuntimeError as error:
        cause = str(error).rpartition("\n")[2]  # before it: where in KenLM's source
        raise ArtifactError(f"{path} is no n-gram model that can be read: {cause}") from None


@contextlib.contextmanager
def _without_progress(path: str) -> Iterator[None]:
    try:
        kept = os.dup(_STDERR)
    except OSError:  # closed, as of some daemons: there is nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            held.seek(0)
            reading = b"Reading " + os.fsencode(path)
            for line in held:
                said = line.lstrip(_BAR)  # a warning may come within the bar
                if said.strip() not in (b"", _SLOW, reading) and not said.startswith(_SCALE):
                    _write(said)


def _write(line: bytes) -> None:
    while line:
        line = line[os.write(_STDERR, line) :]
