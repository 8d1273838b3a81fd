"""Damage a recording in every way a disk can; count what is noticed, and what is recovered.

    python benchmarks/record_mutations.py [--count 1000] [--seed 0]

Each mutation is applied to a fresh copy of one recording (or of its checksums). It counts as
*detected* when `bci verify` says anything but clean, as *harmless* when it says clean and every
sample and stamp is what it was, and as *silent* otherwise. What `bci recover` then saves must be
chunks of the original, unchanged and in their order; anything else counts as *wrong*.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from devices.recording.checked_file import CheckedFile
from devices.recording.checksums import RECORD, read_checksums, sidecar_of
from devices.recording.pieces import map_file, pieces_of
from devices.recording.recover import recover
from devices.recording.verify import decoded, verify
from devices.recording.xdf_writer import XdfStream, XdfWriter

Rng = np.random.Generator
Mutation = Callable[[bytearray, Rng, list[tuple[int, int]]], None]
"""Changes the bytes in place; gets the chunks' places."""


def make_recording(path: Path, rng: Rng, seconds: float = 5.0) -> None:
    """Write a recording of every kind of stream: EEG, spikes, markers, texts, clock offsets."""
    rate_hz, n_channels = 500.0, 16
    with CheckedFile(path) as file:
        xdf = XdfWriter(file.put, boundary_bytes=40_000)
        channels = tuple(f"C{i}" for i in range(n_channels))
        eeg = xdf.add_stream(XdfStream("eeg", "EEG", "float32", channels, "uV", rate_hz))
        units = xdf.add_stream(XdfStream("units", "Spikes", "int16", channels[:5], "", 50.0))
        cues = xdf.add_stream(XdfStream("cues", "Markers", "string", ("label",)))
        at, n = 0, round(seconds * rate_hz)
        while at < n:
            size = min(int(rng.integers(1, 60)), n - at)
            times = 100 + np.arange(at, at + size) / rate_hz
            xdf.write(eeg, rng.normal(0, 20, (size, n_channels)).astype(np.float32), times)
            counts = rng.poisson(1.0, (size // 10, 5)).astype(np.int16)
            xdf.write(units, counts, times[: len(counts)])
            if rng.random() < 0.2:
                xdf.write_texts(cues, [f"cue {at}"], [float(times[0])])
            if rng.random() < 0.1:
                xdf.write_clock_offset(eeg, float(times[0]), float(rng.normal(0, 1e-4)))
            at += size
        xdf.close()


def flip_bit(data: bytearray, rng: Rng, chunks: list[tuple[int, int]]) -> None:
    """Flip one bit."""
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))


def flip_bits(data: bytearray, rng: Rng, chunks: list[tuple[int, int]]) -> None:
    """Flip up to 50 bits."""
    for _ in range(rng.integers(2, 50)):
        flip_bit(data, rng, chunks)


def zero_sector(data: bytearray, rng: Rng, chunks: list[tuple[int, int]]) -> None:
    """Zero a sector of 512 bytes or a page of 4 KiB, as a disk or a file system would."""
    size = int(rng.choice([512, 4096]))
    start = int(rng.integers(-(-len(data) // size))) * size
    data[start : start + size] = bytes(len(data[start : start + size]))


def truncate(data: bytearray, rng: Rng, chunks: list[tuple[int, int]]) -> None:
    """Cut the end off, anywhere or exactly between two chunks."""
    whole = rng.random() < 0.3
    del data[int(chunks[rng.integers(len(chunks))][0] if whole else rng.integers(len(data))) :]


def swap_chunks(data: bytearray, rng: Rng, chunks: list[tuple[int, int]]) -> None:
    """Swap two chunks."""
    (a, b), (c, d) = (chunks[i] for i in sorted(rng.choice(len(chunks), 2, replace=False)))
    data[a:d] = data[c:d] + data[b:c] + data[a:b]


def drop_chunk(data: bytearray, rng: Rng, chunks: list[tuple[int, int]]) -> None:
    """Leave one chunk out."""
    start, end = chunks[rng.integers(len(chunks))]
    del data[start:end]


def double_chunk(data: bytearray, rng: Rng, chunks: list[tuple[int, int]]) -> None:
    """Write one chunk twice."""
    start, end = chunks[rng.integers(len(chunks))]
    data[end:end] = data[start:end]


def garbage(data: bytearray, rng: Rng, chunks: list[tuple[int, int]]) -> None:
    """Overwrite a stretch with noise, or append it."""
    start = int(rng.integers(len(data) + 1))
    noise = rng.bytes(int(rng.integers(1, 2000)))
    data[start : start + len(noise)] = noise


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit,
    flip_bits,
    zero_sector,
    truncate,
    swap_chunks,
    drop_chunk,
    double_chunk,
    garbage,
)


@dataclass
class Original:
    """The recording that is damaged, and what it holds."""

    path: Path
    content: bytes
    sums: bytes
    chunks: list[tuple[int, int]]
    samples: list[bytes]
    sha256: str


def load(path: Path) -> Original:
    """Read the recording once."""
    sums = read_checksums(path)
    assert sums is not None
    places = [(int(r["offset"]), int(r["offset"] + r["length"])) for r in sums.records]
    report = verify(path)
    assert report.verdict == "clean", report
    return Original(
        path,
        path.read_bytes(),
        sidecar_of(path).read_bytes(),
        places,
        samples_of(path),
        report.sha256,
    )


def samples_of(path: Path) -> list[bytes]:
    """Return what each samples chunk of a file holds, as bytes."""
    data = map_file(path)
    found = []
    for item in decoded(data, pieces_of(data, read_checksums(path))):
        if item.samples is not None:
            values = item.samples.values
            content = repr(item.samples.texts) if values is None else values.tobytes().hex()
            found.append(f"{item.piece.stream} {item.samples.times.tobytes().hex()} {content}")
    return [f.encode() for f in found]


def is_part_of(part: list[bytes], whole: list[bytes]) -> bool:
    """Say whether all of `part` occurs in `whole`, in order."""
    rest = iter(whole)
    return all(item in rest for item in part)


def run_one(original: Original, rng: Rng, folder: Path) -> tuple[str, str]:
    """Damage a copy; return the mutation's name and what came of it."""
    mutate = MUTATIONS[rng.integers(len(MUTATIONS))]
    on_sums = rng.random() < 0.2
    path = folder / "damaged.xdf"
    content, sums = bytearray(original.content), bytearray(original.sums)
    if on_sums:
        size = RECORD.itemsize
        records = [(at, at + size) for at in range(size, len(sums), size)]
        mutate(sums, rng, records)
    else:
        mutate(content, rng, original.chunks)
    path.write_bytes(content)
    sidecar_of(path).write_bytes(sums)
    name = f"{mutate.__name__}{' of the checksums' if on_sums else ''}"
    if not content.startswith(b"XDF:"):
        return name, "detected"  # refused: it is not XDF
    report = verify(path)
    target = folder / "recovered.xdf"
    recover(path, target)
    if not is_part_of(samples_of(target), original.samples):
        return name, "wrong"
    if report.verdict != "clean":
        return name, "detected"
    return name, "harmless" if report.sha256 == original.sha256 else "silent"


def run(count: int, seed: int, seconds: float = 5.0) -> dict[str, Counter[str]]:
    """Apply `count` mutations to a recording; return how each kind of them ended."""
    rng = np.random.default_rng(seed)
    table: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="bci-mutations-") as name:
        folder = Path(name)
        make_recording(folder / "original.xdf", rng, seconds)
        original = load(folder / "original.xdf")
        for _ in range(count):
            work = folder / "work"
            work.mkdir()
            kind, outcome = run_one(original, rng, work)
            table.setdefault(kind, Counter())[outcome] += 1
            shutil.rmtree(work)
    return table


def main() -> int:
    """Print the table; the exit code is 1 if anything was silent or wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    table = run(args.count, args.seed)
    outcomes = ("detected", "harmless", "silent", "wrong")
    print(f"{'mutation':<34}" + "".join(f"{o:>10}" for o in outcomes))
    for kind in sorted(table):
        print(f"{kind:<34}" + "".join(f"{table[kind][o]:>10}" for o in outcomes))
    total = sum(table.values(), Counter())
    print(f"{'all':<34}" + "".join(f"{total[o]:>10}" for o in outcomes))
    return int(bool(total["silent"] or total["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
