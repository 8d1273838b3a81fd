"""Open recordings that strangers have tampered with, for as long as one likes; none may crash.

    python benchmarks/fuzz_recordings.py [--seconds 600] [--seed 0]

Each round takes a small recording (one that the recorder made, or one in the manner of
LabRecorder), changes it on purpose (numbers that say how long, how many, how fast; XML bombs;
names with paths in them) or at random (bits, stretches, order), leaves its checksums as they were,
makes them right again, or takes them away, and opens it in every way there is: as a recording, as a
replay, `bci verify`, `bci recover`. Each must end with a result or with an error that is for the
user. What else is raised is a crash; so is a round that takes more than ten seconds, or memory
beyond half a gigabyte.
"""

from __future__ import annotations

import argparse
import logging
import math
import resource
import struct
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bci_server.config import BadSession
from bci_server.recording.file import RecordingFile
from bci_server.recording.items import Content, Said
from bci_server.replay import recorded_session
from decoders.artifact import ArtifactError
from decoders.decoder import Event
from decoders.output import Prediction
from devices.adapters.recording import Recording
from devices.adapters.replay import Replay
from devices.clock import MONOTONIC
from devices.device import Device, DeviceError, EndOfStream
from devices.recording.checked_file import CheckedFile
from devices.recording.checksums import Chain, sidecar_of
from devices.recording.recorded import Recorded, Turn
from devices.recording.recover import recover
from devices.recording.verify import verify
from devices.recording.xdf_chunks import DamagedChunk, walk
from devices.recording.xdf_format import MAGIC, Tag
from devices.recording.xdf_writer import XdfStream, XdfWriter
from devices.signal import Marker, Signal

_MEMORY_BYTES = 512 << 20
_LONGEST_S = 10.0
_MOST_READS = 2000

Rng = np.random.Generator
Tampering = Callable[[bytearray, Rng, list[tuple[int, int, int]]], bytearray]
"""Changes a file; gets where its chunks begin and end, and what they are."""


def ours(path: Path) -> None:
    """Record a session of two seconds."""
    signal = Signal(100.0, ("C3", "C4", "Cz"), "uV")
    about = {"session_file": 'name = "x"\n', "model": "abc"}
    content = Content("x", "amp", signal, has_sender_times=True, about=about)
    recording = RecordingFile(CheckedFile(path), content, 0.0)
    rng = np.random.default_rng(0)
    for first in range(0, 200, 10):
        times = 5.0 + np.arange(first, first + 10) / 100.0
        markers = (Marker(float(times[0]), "go"),) if first % 50 == 0 else ()
        marks = (Event(first, "hit", "client"),) if first % 40 == 0 else ()
        values = rng.normal(0, 1, (10, 3)).astype(np.float32)
        received_s = float(times[-1]) + 0.01
        recording.write(Turn(first, values, times, times + 1e3, False, received_s, markers, marks))
        said = (Prediction(("a", "b"), (0.5, 0.5)),)
        recording.write(Said(first + 9, float(times[-1]), said, ()))
    recording.end(8.0, "ended", "")


def foreign(path: Path) -> None:
    """Write what LabRecorder would: several formats, stamps left out, clock offsets."""
    rng = np.random.default_rng(1)
    with CheckedFile(path) as file:
        xdf = XdfWriter(file.put, 2000)
        eeg = xdf.add_stream(XdfStream("eeg", "EEG", "int16", ("a", "b"), "uV", 250.0))
        wide = xdf.add_stream(XdfStream("wide", "Misc", "double64", ("x",), "m", 50.0))
        cues = xdf.add_stream(XdfStream("cues", "Markers", "string", ("label",)))
        for k in range(8):
            start = 10.0 + k * 0.5
            xdf.write(eeg, rng.integers(-99, 99, (125, 2)).astype(np.int16), start)
            xdf.write(wide, rng.normal(0, 1, (25, 1)), start + np.arange(25) / 50.0)
            xdf.write_texts(cues, ["cue"], [start])
            xdf.write_clock_offset(eeg, start, 1e-3 * k)
        xdf.close()


def flip(data: bytearray, rng: Rng, chunks: list[tuple[int, int, int]]) -> bytearray:
    """Flip some bits."""
    for at in rng.integers(0, len(data), rng.integers(1, 9)):
        data[at] ^= 1 << int(rng.integers(8))
    return data


def fill(data: bytearray, rng: Rng, chunks: list[tuple[int, int, int]]) -> bytearray:
    """Overwrite a stretch with one byte, often one that makes numbers extreme."""
    at, n = int(rng.integers(len(data))), int(rng.integers(1, 40))
    data[at : at + n] = bytes([int(rng.choice([0, 0xFF, 0x7F, 0x80, 8, 4, 1]))]) * n
    return data[: len(data)]


def cut(data: bytearray, rng: Rng, chunks: list[tuple[int, int, int]]) -> bytearray:
    """Cut the file short."""
    return data[: int(rng.integers(0, len(data)))]


def shuffle(data: bytearray, rng: Rng, chunks: list[tuple[int, int, int]]) -> bytearray:
    """Leave chunks out, double them, change their order."""
    picked = rng.choice(len(chunks), len(chunks), replace=bool(rng.integers(2)))
    if rng.integers(2):
        picked = np.sort(picked)
    return bytearray(MAGIC).join(
        [bytearray(), b"".join(data[chunks[k][0] : chunks[k][1]] for k in picked)]
    )


def lie(data: bytearray, rng: Rng, chunks: list[tuple[int, int, int]]) -> bytearray:
    """Let a chunk lie: of how long it is, whose it is, how many samples it has."""
    start, end, _ = chunks[int(rng.integers(len(chunks)))]
    values = (0, 1, 2, 5, 2**31 - 1, 2**31, 2**32 - 1, end - start, int(rng.integers(2**32)))
    number = int(rng.choice(np.array(values, np.uint64)))
    where = start + int(rng.choice([1, 7, 12]))
    data[where : where + 4] = struct.pack("<I", number)
    if rng.integers(4) == 0:  # a length of eight bytes, up to 2**64 - 1
        data[start : start + 9] = struct.pack("<BQ", 8, int(rng.integers(2**63)) * 2)
    return data


_XML_LIES = (
    (rb"<channel_count>\d+</channel_count>", b"<channel_count>%s</channel_count>"),
    (rb"<nominal_srate>[^<]*</nominal_srate>", b"<nominal_srate>%s</nominal_srate>"),
    (rb"<channel_format>[^<]*</channel_format>", b"<channel_format>%s</channel_format>"),
    (rb"<name>[^<]*</name>", b"<name>%s</name>"),
    (rb"<source_id>[^<]*</source_id>", b"<source_id>%s</source_id>"),
    (rb"<label>[^<]*</label>", b"<label>%s</label>"),
    (rb"<type>[^<]*</type>", b"<type>%s</type>"),
    (rb"<unit>[^<]*</unit>", b"<unit>%s</unit>"),
    (rb"<session_file>[^<]*</session_file>", b"<session_file>%s</session_file>"),
    (rb"<info>", b"%s<info>"),
)
_LIES = (
    b"", b"0", b"-1", b"1e308", b"nan", b"inf", b"-inf", b"999999999999", b"65536", b"1e-300",
    b"3.5", b"../../../../etc/passwd", b"/etc/passwd", b"\xff\xfe", b"a" * 100_000, b"&#0;",
    b"string",
    b"double64", b"bci.chunks", b"bci.feed", b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>",
    b'<!DOCTYPE z [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    b"<a>" * 5000, b"<a>" * 5000 + b"</a>" * 5000, b"name = 'x'\n[device]\nkind = '../x'\n",
)  # fmt: skip


def lie_in_xml(data: bytearray, rng: Rng, chunks: list[tuple[int, int, int]]) -> bytearray:
    """Let a header lie, its length made right: so that it is read."""
    import re

    headers = [c for c in chunks if c[2] in (Tag.STREAM_HEADER, Tag.STREAM_FOOTER)]
    start, end, tag = headers[int(rng.integers(len(headers)))]
    content = bytes(data[start + 11 : end])
    for _ in range(int(rng.integers(1, 4))):
        old, new = _XML_LIES[int(rng.integers(len(_XML_LIES)))]
        lied = new % _LIES[int(rng.integers(len(_LIES)))]
        content = re.sub(old, lambda _, lied=lied: lied, content, count=int(rng.integers(1, 3)))
    head = struct.pack("<BIH", 4, len(content) + 6, tag) + bytes(data[start + 7 : start + 11])
    return data[:start] + head + content + data[end:]


def odd_numbers(data: bytearray, rng: Rng, chunks: list[tuple[int, int, int]]) -> bytearray:
    """Let stamps and values be what no clock shows."""
    samples = [c for c in chunks if c[2] in (Tag.SAMPLES, Tag.CLOCK_OFFSET)]
    start, end, tag = samples[int(rng.integers(len(samples)))]
    at = start + (17 if tag == Tag.SAMPLES else 11) + 8 * int(rng.integers(0, 2))
    odd = (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -1.0, 0.0, 2.0**63, 1e11)
    if at + 8 <= end:
        data[at : at + 8] = struct.pack("<d", float(rng.choice(np.array(odd))))
    return data


def odd_json(data: bytearray, rng: Rng, chunks: list[tuple[int, int, int]]) -> bytearray:
    """Let texts be other JSON than a recorder writes, of the same length."""
    at = [i for i in range(len(data)) if data[i : i + 1] == b"{"]
    where = int(rng.choice(np.array(at)))
    stop = data.find(b"}", where) + 1
    odd = rng.choice(
        np.array([b"[", b"{", b'{"first":-1', b'{"markers":7', b"1e999", b"null", b'"'])
    )
    n = max(stop - where, 1)
    data[where:stop] = (odd * n)[:n] if rng.integers(2) else odd[:n].ljust(n)
    return data


TAMPERINGS: tuple[Tampering, ...] = (
    flip, fill, cut, shuffle, lie, lie_in_xml, odd_numbers, odd_json,
)  # fmt: skip


def open_every_way(path: Path, folder: Path) -> Counter[str]:
    """Open a file in every way; return what came of it. Raises what no user should see."""
    ways: dict[str, Callable[[], object]] = {
        "recording": lambda: _play(Recording(str(path), speed=math.inf)),
        "replay": lambda: _play(Replay(str(path), math.inf)),
        "recorded": lambda: _read(path),
        "session": lambda: recorded_session(path),
        "verify": lambda: verify(path),
        "recover": lambda: recover(path, folder / "recovered.xdf"),
    }
    came: Counter[str] = Counter()
    for name, way in ways.items():
        try:
            way()
        except (DeviceError, BadSession, ArtifactError):
            came[f"{name}: refused"] += 1
        else:
            came[f"{name}: opened"] += 1
    return came


def rounds(seconds: float, seed: int, folder: Path) -> tuple[int, Counter[str], list[str]]:
    """Tamper and open until the time is over; return how often, what came of it, the crashes."""
    originals = []
    for make in (ours, foreign):
        path = folder / f"{make.__name__}.xdf"
        make(path)
        originals.append((path.read_bytes(), sidecar_of(path).read_bytes()))
    came: Counter[str] = Counter()
    crashes: list[str] = []
    n, end_s = 0, MONOTONIC.now() + seconds
    while MONOTONIC.now() < end_s:
        rng = np.random.default_rng([seed, n])
        content, sums = originals[int(rng.integers(len(originals)))]
        data, used = _tampered(content, rng)
        path = folder / "tampered.xdf"
        for old in folder.glob("*ed.xdf*"):
            old.unlink()
        path.write_bytes(data)
        _put_checksums(path, bytes(data), sums, int(rng.integers(4)))
        begun_s = MONOTONIC.now()
        try:
            came += open_every_way(path, folder)
        except Exception:  # whatever it is, it is what is looked for
            crashes.append(f"round {n} ({', '.join(used)}):\n{traceback.format_exc()}")
        if MONOTONIC.now() - begun_s > _LONGEST_S:
            crashes.append(f"round {n} ({', '.join(used)}): {MONOTONIC.now() - begun_s:.1f} s")
        n += 1
    return n, came, crashes


def main() -> int:
    """Tamper for as long as was asked for, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    own = Path("/proc/self/statm").read_text().split()
    resource.setrlimit(
        resource.RLIMIT_AS, (int(own[0]) * resource.getpagesize() + _MEMORY_BYTES,) * 2
    )
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        n, came, crashes = rounds(options.seconds, options.seed, Path(folder))
    for what, times in sorted(came.items()):
        print(f"{what:24}{times:8}")
    for crash in crashes[:20]:
        print(crash)
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"{n} rounds in {options.seconds:.0f} s, {len(crashes)} crashes, {most_mb:.0f} MB at most"
    )
    return 1 if crashes else 0


def _tampered(content: bytes, rng: Rng) -> tuple[bytearray, list[str]]:
    data, used = bytearray(content), []
    for _ in range(int(rng.integers(1, 4))):
        how = TAMPERINGS[int(rng.integers(len(TAMPERINGS)))]
        used.append(how.__name__)
        try:
            chunks = [(c.offset, c.end, c.tag) for c in walk(bytes(data))]
            data = bytearray(how(data, rng, chunks))
        except (DamagedChunk, ValueError, IndexError):  # tampered with already, it bears no more
            break
    return data, used


def _put_checksums(path: Path, data: bytes, old: bytes, how: int) -> None:
    """Put checksums beside a file: those of before, right ones, damaged ones, or none."""
    if how == 0:
        sidecar_of(path).write_bytes(old)
    elif how == 1:
        chain = Chain()
        records = [chain.header]
        try:
            pieces = [(0, 4), *((c.offset, c.end) for c in walk(data))]
            for start, end in pieces:
                record = chain.record(memoryview(data)[start:end], start)
                chain.accept(record)
                records.append(record)
        except (DamagedChunk, struct.error):
            pass  # no chunk: they end here, as a recorder's do that was killed
        sidecar_of(path).write_bytes(b"".join(records))
    elif how == 2:
        damaged = bytearray(old)
        damaged[len(data) % len(old)] ^= 0x10
        sidecar_of(path).write_bytes(damaged)


def _play(device: Device) -> None:
    with device.open() as stream:
        for _ in range(_MOST_READS):
            try:
                stream.read(0.0)
            except EndOfStream:
                return
            stream.take_markers()
            stream.take_events()
            stream.take_truth()
            stream.health()


def _read(path: Path) -> None:
    with Recorded.open(path) as recorded:
        recorded.log()
        for _ in recorded.lines():
            pass
        for k, _ in enumerate(recorded.turns()):
            recorded.truth(k)


if __name__ == "__main__":
    sys.exit(main())
