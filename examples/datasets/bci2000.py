"""Make recordings of BCI2000's files of the P300 tasks (``.dat``).

The stream ``eeg`` is what the amplifier gave, in µV by the file's own gains; in ``cues`` every
flash is ``target`` or ``other``, and, by its code, ``flash 1``, ``flash 2`` … The format is in
BCI2000's wiki, "Technical Reference: BCI2000 File Format"::

    python examples/datasets/bci2000.py eeg3_1.dat speller.xdf
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import cued_eeg
import numpy as np
from numpy.typing import NDArray

TYPES = {"int16": "<i2", "int32": "<i4", "float32": "<f4"}
FLASHES = ("StimulusCode", "StimulusType")


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    return cued_eeg.main("bci2000", __doc__ or "", read, arguments)


def read(path: Path) -> cued_eeg.CuedEeg:
    """Read one file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no BCI2000 file, or not of a task that flashes.
    """
    content = path.read_bytes()
    first = dict(re.findall(r"(\w+)= *(\S+)", content[:200].split(b"\n")[0].decode("latin-1")))
    if missing := {"HeaderLen", "SourceCh", "StatevectorLen"} - set(first):
        raise ValueError(f"{path} is no BCI2000 file: its first line lacks {min(missing)}")
    length, n_channels = int(first["HeaderLen"]), int(first["SourceCh"])
    header = content[:length].decode("latin-1")
    number = first.get("DataFormat", "int16")
    if number not in TYPES:
        raise ValueError(f"{path} holds {number} numbers; known are {', '.join(TYPES)}")
    row = np.dtype([("x", TYPES[number], n_channels), ("s", "u1", int(first["StatevectorLen"]))])
    rows = np.frombuffer(content, row, (len(content) - length) // row.itemsize, length)
    gain, offset = (
        _list(header, name, n_channels).astype(float) for name in ("SourceChGain", "SourceChOffset")
    )
    return cued_eeg.CuedEeg(
        float(re.sub(r"[A-Za-z]+$", "", _parameter(header, "SamplingRate")[0])),
        _channels(header, n_channels),
        (rows["x"] - offset) * gain,
        _flashes(header, rows["s"], path),
    )


def _flashes(header: str, states: NDArray[np.uint8], path: Path) -> list[tuple[float, str]]:
    code, is_target = (_state(header, states, name, path) for name in FLASHES)
    begins = np.flatnonzero((code[1:] > 0) & (code[1:] != code[:-1])) + 1
    return [
        (int(at), label)
        for at in begins
        for label in (f"flash {code[at]}", "target" if is_target[at] else "other")
    ]


def _state(header: str, states: NDArray[np.uint8], name: str, path: Path) -> NDArray[np.int64]:
    """Return one state of every sample: so many bits, from a bit of a byte on."""
    found = re.search(rf"^{name} (\d+) \S+ (\d+) (\d+)\s*$", header, re.MULTILINE)
    if found is None:
        raise ValueError(f"{path} has no state {name}; it is of no task that flashes")
    bits, byte, bit = map(int, found.groups())
    together = np.zeros(len(states), np.int64)
    for i in range(-(-(bit + bits) // 8)):
        together |= states[:, byte + i].astype(np.int64) << (8 * i)
    return (together >> bit) & ((1 << bits) - 1)


def _parameter(header: str, name: str) -> list[str]:
    found = re.search(rf" {name}= *(.*)$", header, re.MULTILINE)
    return found[1].split("//")[0].split() if found else []


def _list(header: str, name: str, n: int) -> NDArray[np.str_]:
    words = _parameter(header, name)
    if not words or int(words[0]) < n or len(words) <= n:
        raise ValueError(f"the header has no {name} for {n} channels")
    return np.array(words[1 : n + 1])


def _channels(header: str, n: int) -> tuple[str, ...]:
    words = _parameter(header, "ChannelNames")
    named = bool(words) and words[0] == str(n) and len(words) > n
    return tuple(words[1 : n + 1]) if named else tuple(f"ch{i + 1}" for i in range(n))


if __name__ == "__main__":
    sys.exit(main())
