"""What the scripts for EEG sets share: one stream of samples and its cues, written as XDF."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.recording.xdf_writer import XdfStream, XdfWriter

CHUNK_S = 10


@dataclass(frozen=True)
class CuedEeg:
    """Samples, (n, n_channels) µV, and cues: each the sample that it falls on, and its label.

    Samples that were cut out of a longer recording are missing for `pause_s` after each `piece`.
    """

    rate_hz: float
    channels: tuple[str, ...]
    values: NDArray[np.floating]
    cues: Sequence[tuple[float, str]]
    pause_s: float = 0.0
    piece: int = 0

    def time_s(self, sample: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return when samples, counted from the first, are."""
        pauses = sample // self.piece if self.piece else 0
        return np.asarray(sample / self.rate_hz + pauses * self.pause_s, np.float64)


def write(eeg: CuedEeg, recording: Path) -> None:
    """Write the streams ``eeg`` and ``cues``.

    Raises
    ------
    OSError
        The recording exists, or cannot be written.
    """
    step = eeg.piece or round(CHUNK_S * eeg.rate_hz)
    with XdfWriter.create(recording) as xdf:
        samples = xdf.add_stream(
            XdfStream("eeg", "EEG", "float32", eeg.channels, "microvolts", eeg.rate_hz)
        )
        marks = xdf.add_stream(XdfStream("cues", "Markers", "string", ("label",)))
        times = eeg.time_s(np.arange(len(eeg.values)))
        for first in range(0, len(times), step):
            rows = slice(first, first + step)
            xdf.write(samples, np.ascontiguousarray(eeg.values[rows], np.float32), times[rows])
            now = [(at, label) for at, label in eeg.cues if first <= at < first + step]
            stamps = eeg.time_s(np.array([at for at, _ in now], np.float64))
            xdf.write_texts(marks, [label for _, label in now], stamps)


def main(
    name: str, document: str, read: Callable[[Path], CuedEeg], arguments: list[str] | None
) -> int:
    """Convert one file, as a script's whole work; return the exit code."""
    parser = argparse.ArgumentParser(prog=name, description=document.split("\n\n")[0])
    parser.add_argument("source", type=Path, metavar="IN")
    parser.add_argument("recording", type=Path, metavar="OUT.xdf", help="must not exist yet")
    parser.add_argument("--from", type=_share, default=0.0, dest="start", help="share to begin at")
    parser.add_argument("--to", type=_share, default=1.0, dest="stop", help="share to end at")
    options = parser.parse_args(arguments)
    if not options.start < options.stop:
        parser.error(f"nothing lies between --from {options.start:g} and --to {options.stop:g}")
    try:
        eeg = _part(read(options.source), options.start, options.stop)
        write(eeg, options.recording)
    except (OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    seconds = len(eeg.values) / eeg.rate_hz
    print(
        f"{options.recording}: {seconds:.1f} s of {len(eeg.channels)} channels at "
        f"{eeg.rate_hz:g} Hz, {len(eeg.cues)} cues"
    )
    return 0


def _part(eeg: CuedEeg, start: float, stop: float) -> CuedEeg:
    piece = eeg.piece or 1
    first, last = (round(share * len(eeg.values) / piece) * piece for share in (start, stop))
    cues = [(at - first, label) for at, label in eeg.cues if first <= at < last]
    return replace(eeg, values=eeg.values[first:last], cues=cues)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1")
    return share
