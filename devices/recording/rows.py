"""Recordings kept as lines of text: one pass to see where the lines are, then any of them.

Memory does not grow with the file: the place of one line in a few hundred is kept. A gzipped file
is unpacked as it is read.
"""

from __future__ import annotations

import gzip
import io
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from devices.device import DeviceRefused

__all__ = ["Rows", "number_in"]

#: No device writes lines this long; 3,072 channels need 40 kB.
_MAX_LINE_BYTES = 2**18
_STRIDE = 256

#: What gzip says of a damaged file.
_GZIP_ERRORS = (gzip.BadGzipFile, EOFError, OSError)


class Rows:
    """The lines of a file below its header.

    Parameters
    ----------
    path
        The file; ``*.gz`` is unpacked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = (
            io.BufferedReader(gzip.open(path, "rb"))  # noqa: SIM115
            if path.suffix.lower() == ".gz"
            else path.open("rb")
        )
        self._candidate = (0, 0)
        self._places = array("q")
        self._line_numbers = array("q")
        self._n_lines = 0
        self._next_row = -1  # row that the file stands at, if that is known
        self.n_rows = 0

    def header(self) -> str:
        """Return the next line, without its end; for lines above the rows.

        Raises
        ------
        DeviceRefused
            It is no line of text.
        """
        return self._text(self._line())

    def index(self) -> Iterator[tuple[int, str]]:
        """Yield the number and text of each remaining line; those that are kept are rows.

        Call `keep` before going on for each line that is one.
        """
        while True:
            place = self._file.tell()
            line = self._line()
            if not line:
                return
            if text := self._text(line):
                self._candidate = (place, self._n_lines)
                yield self._n_lines, text

    def keep(self) -> None:
        """Count the line that `index` yielded last as a row."""
        if self.n_rows % _STRIDE == 0:
            self._places.append(self._candidate[0])
            self._line_numbers.append(self._candidate[1])
        self.n_rows += 1

    def read(
        self, first: int, stop: int, columns: Sequence[int], skip: str = ""
    ) -> NDArray[np.float64]:
        """Return some columns of the rows `first` up to but without `stop`, (n, n_columns).

        Parameters
        ----------
        first, stop, columns
            Which rows and columns.
        skip
            Lines that hold this text are no rows.

        Raises
        ------
        DeviceRefused
            A cell is no number; says in which line.
        """
        if self._next_row != first:
            self._seek(first, skip)
        self._next_row = -1
        lines = list(islice(self._row_lines(skip), stop - first))
        if len(lines) < stop - first:
            raise DeviceRefused(f"{self.path} has become shorter since it was opened")
        self._next_row = stop
        return self._parse(lines, columns)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def refused(self, line: int, what: str) -> DeviceRefused:
        """Return the error that says what is wrong in a line."""
        return DeviceRefused(f"{self.path}, line {line}: {what}")

    def _seek(self, row: int, skip: str) -> None:
        mark = row // _STRIDE
        self._file.seek(self._places[mark])
        self._n_lines = self._line_numbers[mark] - 1
        for _ in islice(self._row_lines(skip), row - mark * _STRIDE):
            pass

    def _row_lines(self, skip: str) -> Iterator[tuple[int, str]]:
        while line := self._line():
            text = self._text(line)
            if text and not (skip and skip in text):
                yield self._n_lines, text

    def _parse(self, lines: list[tuple[int, str]], columns: Sequence[int]) -> NDArray[np.float64]:
        if not lines:
            return np.empty((0, len(columns)))
        texts = [text for _, text in lines]
        try:
            return np.loadtxt(texts, delimiter=",", usecols=columns, ndmin=2, comments=None)
        except ValueError:
            for number, text in lines:
                for column in columns:
                    number_in(self, number, text.split(","), column)
            raise

    def _line(self) -> bytes:
        try:
            line = self._file.readline(_MAX_LINE_BYTES)
        except _GZIP_ERRORS as error:
            raise DeviceRefused(
                f"{self.path} is cut short or damaged after line {self._n_lines}: {error}"
            ) from error
        self._n_lines += bool(line)
        if len(line) == _MAX_LINE_BYTES:
            raise self.refused(self._n_lines, f"it is longer than {_MAX_LINE_BYTES} bytes")
        return line

    def _text(self, line: bytes) -> str:
        try:
            return line.decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise self.refused(self._n_lines, f"it is no text ({error.reason})") from error


def number_in(rows: Rows, line: int, cells: Sequence[str], column: int) -> float:
    """Return the number in a cell.

    Raises
    ------
    DeviceRefused
        There is none; says where.
    """
    if column >= len(cells):
        raise rows.refused(
            line, f"it has {len(cells)} cells; the cell in column {column + 1} is gone"
        )
    try:
        return float(cells[column])
    except ValueError:
        raise rows.refused(
            line, f"column {column + 1} holds {cells[column].strip()!r}, not a number"
        ) from None
