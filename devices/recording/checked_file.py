"""An XDF file and its checksums, written together so that what was acknowledged is not lost.

*Written*: a piece and its record have gone to the operating system with ``write``; the death of
the process (``kill -9`` too) does not touch them. *Durable*: both files were synchronised after
that; a power cut does not touch them either. See ``docs/recording-integrity.md``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from devices.recording.checksums import Chain, sidecar_of

__all__ = ["CheckedFile"]


class CheckedFile:
    """Takes the pieces of one `devices.recording.xdf_writer.XdfWriter`.

    Parameters
    ----------
    path
        The file; its folder exists.

    Attributes
    ----------
    path
        The file.
    size
        Bytes written and acknowledged.

    Raises
    ------
    FileExistsError
        The file or its sidecar is there already: nothing is ever overwritten.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.size = 0
        self._sidecar_size = 0
        self._chain = Chain()
        self._file = _create(self.path)
        try:
            self._sidecar = _create(sidecar_of(self.path))
        except OSError:
            os.close(self._file)
            self.path.unlink()  # it was made just now, and is empty
            raise
        self._is_open = True
        self._needs_header = True
        self._is_torn = False
        self._is_in_folder = False

    def put(self, piece: memoryview) -> None:
        """Write one piece and its record; when this returns, it is written.

        Raises
        ------
        OSError
            It could not be written: the disk is full, or gone. The files end with the last whole
            piece, as if this one had not come, and more may be tried later.
        """
        if self._is_torn:
            self._take_back()
        record = self._chain.record(piece, self.size)
        addition = self._chain.header + record if self._needs_header else record
        try:
            _write(self._file, piece)
            _write(self._sidecar, memoryview(addition))
        except OSError:
            self._is_torn = True
            with contextlib.suppress(OSError):  # what failed first is what is raised
                self._take_back()
            raise
        self._chain.accept(record)
        self._needs_header = False
        self.size += len(piece)
        self._sidecar_size += len(addition)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write all pieces of a ``with`` block or, if one fails with an `OSError`, none of them."""
        size, sidecar_size = self.size, self._sidecar_size
        state, needs_header = self._chain.state, self._needs_header
        try:
            yield
        except OSError:
            self.size, self._sidecar_size = size, sidecar_size
            self._chain.state, self._needs_header = state, needs_header
            self._is_torn = True
            with contextlib.suppress(OSError):
                self._take_back()
            raise

    def sync(self) -> None:
        """Wait until all that was written before is durable. May be called from another thread.

        Raises
        ------
        OSError
            The disk did not take it.
        """
        os.fdatasync(self._file)
        os.fdatasync(self._sidecar)
        if not self._is_in_folder:
            _sync_folder(self.path.parent)
            self._is_in_folder = True

    def close(self) -> None:
        """Make everything durable and close both files; harmless when repeated.

        Raises
        ------
        OSError
            The disk did not take it. The files are closed all the same.
        """
        if not self._is_open:
            return
        self._is_open = False
        try:
            self.sync()
        finally:
            os.close(self._file)
            os.close(self._sidecar)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take_back(self) -> None:
        # A disk that is gone cannot shorten its files either. Then they end with a torn piece,
        # which a reader sees, and nothing follows it.
        os.ftruncate(self._file, self.size)
        os.ftruncate(self._sidecar, self._sidecar_size)
        self._is_torn = False


def _create(path: Path) -> int:
    # O_APPEND: after a piece is taken back, the next one goes to the true end.
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)


def _write(file: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(file, piece) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
