"""What the scripts share: streams that are sampled together, and marks, written as XDF."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.recording.xdf_format import Format
from devices.recording.xdf_writer import XdfStream, XdfWriter

CHUNK_S = 10.0
PAUSE_SAMPLES = 600  # readers of XDF even stamps out over interruptions of less than 500


@dataclass(frozen=True)
class Stream:
    """One stream of a recording.

    Parameters
    ----------
    name, kind
        Its name, and what XDF calls its type: ``"EEG"``, ``"Spikes"``, ``"Kinematics"`` …
    channels, unit
        Names of the channels, and the unit of them all.
    values
        (n, n_channels). Whole numbers are written as int16, float32 and float64 as they are.
    """

    name: str
    kind: str
    channels: tuple[str, ...]
    unit: str
    values: NDArray[np.generic]

    @property
    def format(self) -> Format:
        """How each value is stored."""
        dtype = self.values.dtype
        if dtype.kind in "iub":
            return "int16"
        return "float32" if dtype == np.float32 else "double64"


@dataclass(frozen=True)
class Aligned:
    """Streams that share their rows.

    Parameters
    ----------
    rate_hz
        Rows a second.
    times
        (n,) float64, when each row is, in seconds; where rows are missing, later.
    streams
        Whatever is sampled; the first one is what a decoder wants.
    marks
        For each stream of markers: at which row (a part of one counts), and the label.
    pieces
        First row of each piece that is not to be cut; none: it may be cut anywhere.
    """

    rate_hz: float
    times: NDArray[np.float64]
    streams: Sequence[Stream]
    marks: Mapping[str, Sequence[tuple[float, str]]] = field(default_factory=dict)
    pieces: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        for stream in self.streams:
            if stream.values.shape != (len(self.times), len(stream.channels)):
                raise ValueError(
                    f"the stream {stream.name} has {stream.values.shape[0]} rows of "
                    f"{len(stream.channels)} channels; there are {len(self.times)} times"
                )

    def rows(self, start: float, stop: float) -> slice:
        """Return the rows from the share `start` up to but without `stop`, in whole pieces."""
        n = len(self.times)
        edges = np.arange(n + 1) if self.pieces is None else np.append(self.pieces, n)
        first, last = (int(edges[round(share * (len(edges) - 1))]) for share in (start, stop))
        return slice(first, last)


def numbered(name: str, n: int) -> tuple[str, ...]:
    """Return n names, ``name1`` … , all of one length."""
    return tuple(f"{name}{i + 1:0{len(str(n))}d}" for i in range(n))


def apart(lengths: Sequence[int], rate_hz: float) -> NDArray[np.float64]:
    """Return the times of the rows of pieces, so far apart that each begins anew."""
    pause = PAUSE_SAMPLES / rate_hz
    before = np.concatenate([[0.0], np.cumsum(np.array(lengths[:-1]) / rate_hz + pause)])
    return np.concatenate(
        [at + np.arange(n) / rate_hz for at, n in zip(before, lengths, strict=True)]
    )


def arrays_of(path: Path, needed: Sequence[str]) -> list[NDArray[np.generic]]:
    """Return arrays of an archive (``*.npz``), or of a MATLAB file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It lacks one of them.
    """
    if path.suffix == ".mat":
        from scipy.io import loadmat

        held = {k: v for k, v in loadmat(path).items() if k[:2] != "__"}
    else:
        with np.load(path) as archive:
            held = {name: archive[name] for name in archive}
    if missing := [name for name in needed if name not in held]:
        raise ValueError(f"{path} has no array {missing[0]!r}; it has {', '.join(held)}")
    return [held[name] for name in needed]


def write(aligned: Aligned, rows: slice, recording: Path) -> None:
    """Write some of the rows.

    Raises
    ------
    OSError
        The recording exists, or cannot be written.
    """
    times = aligned.times
    with XdfWriter.create(recording) as xdf:
        numbers = [
            xdf.add_stream(XdfStream(s.name, s.kind, s.format, s.channels, s.unit, aligned.rate_hz))
            for s in aligned.streams
        ]
        marks = [
            (xdf.add_stream(XdfStream(name, "Markers", "string", ("label",))), sorted(marked))
            for name, marked in aligned.marks.items()
        ]
        for part in _parts(aligned, rows):
            for number, stream in zip(numbers, aligned.streams, strict=True):
                dtype = np.float64 if stream.format == "double64" else stream.format
                xdf.write(number, np.ascontiguousarray(stream.values[part], dtype), times[part])
            for number, marked in marks:
                now = [(at, label) for at, label in marked if part.start <= at < part.stop]
                stamps = [times[int(at)] + (at - int(at)) / aligned.rate_hz for at, _ in now]
                xdf.write_texts(number, [label for _, label in now], np.array(stamps))


def _parts(aligned: Aligned, rows: slice) -> list[slice]:
    """Cut the rows where a piece begins, and every so many seconds."""
    step = max(1, round(CHUNK_S * aligned.rate_hz))
    begins = {rows.start} | {int(p) for p in ([] if aligned.pieces is None else aligned.pieces)}
    edges = [*sorted(b for b in begins if rows.start <= b < rows.stop), rows.stop]
    return [
        slice(first, min(first + step, end))
        for begin, end in itertools.pairwise(edges)
        for first in range(begin, end, step)
    ]


def main(
    name: str,
    document: str,
    read: Callable[..., Aligned],
    arguments: list[str] | None,
    sources: Sequence[str] = ("IN",),
    others: Mapping[str, Callable[..., Aligned]] | None = None,
) -> int:
    """Convert, as a script's whole work; return the exit code.

    Parameters
    ----------
    name, document
        The script's, and its docstring.
    read
        Takes one path for each of `sources`; the last one takes several where it ends in ``…``.
        Raises OSError or ValueError for what it cannot read.
    arguments
        The command line; None: this process's.
    sources
        What is read, as the help names it.
    others
        Other ways to read it, each asked for with an option of its name.
    """
    parser = argparse.ArgumentParser(prog=name, description=document.split("\n\n")[0])
    for at, source in enumerate(sources):
        several = "+" if source.endswith("…") else None
        parser.add_argument(f"source{at}", type=Path, metavar=source, nargs=several)
    parser.set_defaults(read=read)
    parser.add_argument("recording", type=Path, metavar="OUT.xdf", help="must not exist yet")
    parser.add_argument("--from", type=_share, default=0.0, dest="start", help="share to begin at")
    parser.add_argument("--to", type=_share, default=1.0, dest="stop", help="share to end at")
    parser.add_argument(
        "--part", type=_part, metavar="first:SHARE|last:SHARE", help="instead of --from and --to"
    )
    for option, other in (others or {}).items():
        summary = (other.__doc__ or "").split("\n")[0]
        parser.add_argument(
            f"--{option}", dest="read", action="store_const", const=other, help=summary
        )
    options = parser.parse_args(arguments)
    start, stop = options.part or (options.start, options.stop)
    if not start < stop:
        parser.error(f"nothing lies between --from {start:g} and --to {stop:g}")
    given = [getattr(options, f"source{at}") for at in range(len(sources))]
    try:
        paths = [p for one in given for p in (one if isinstance(one, list) else [one])]
        aligned = options.read(*paths)
        rows = aligned.rows(start, stop)
        write(aligned, rows, options.recording)
    except (OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    print(f"{options.recording}: {_described(aligned, rows)}")
    return 0


def _described(aligned: Aligned, rows: slice) -> str:
    n = rows.stop - rows.start
    said = [
        f"{n} samples at {aligned.rate_hz:g} Hz ({n / aligned.rate_hz:.1f} s) of "
        + ", ".join(f"{s.name} ({len(s.channels)})" for s in aligned.streams)
    ]
    for name, marked in aligned.marks.items():
        said.append(f"{sum(rows.start <= at < rows.stop for at, _ in marked)} {name}")
    return ", ".join(said)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1")
    return share


def _part(text: str) -> tuple[float, float]:
    which, _, share = text.partition(":")
    if which not in ("first", "last"):
        raise argparse.ArgumentTypeError(f"{text!r} begins with neither first: nor last:")
    return (0.0, _share(share)) if which == "first" else (1 - _share(share), 1.0)
