"""A torn or damaged recording → a new one with every chunk that is whole, and what was lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from devices.recording.checked_file import CheckedFile
from devices.recording.checksums import read_checksums
from devices.recording.pieces import KEPT, map_file, pieces_of
from devices.recording.verify import Decoded, decoded
from devices.recording.xdf_chunks import Layout
from devices.recording.xdf_format import MAGIC, Tag, small_chunk
from devices.recording.xdf_xml import file_header, stream_footer

__all__ = ["Recovery", "StreamRecovery", "recover", "recovered_name"]


@dataclass(frozen=True, slots=True)
class StreamRecovery:
    """What became of one stream.

    Parameters
    ----------
    number, name
        Which.
    n_kept
        Samples in the new file.
    n_lost
        Samples that were written and are lost, as far as anything still tells of them.
    lost_s
        How long that was, by the nominal rate; None for samples without a rate.
    """

    number: int
    name: str
    n_kept: int
    n_lost: int
    lost_s: float | None


@dataclass(frozen=True, slots=True)
class Recovery:
    """What `recover` did.

    Parameters
    ----------
    source, target
        The file as it was, and the new one.
    streams
        What became of each stream.
    n_bytes_dropped
        Bytes that were not taken over.
    n_unknown
        Damaged stretches of which nobody knows how many samples they held.
    n_unchecked
        Chunks that were taken over without a checksum to tell that they are right.
    """

    source: str
    target: str
    streams: tuple[StreamRecovery, ...]
    n_bytes_dropped: int
    n_unknown: int
    n_unchecked: int


def recovered_name(path: Path) -> Path:
    """Return where the recovered recording goes when nobody says: beside the other.

    ``X_recovered.xdf``; where names are made of BIDS entities, whose suffix must stay the last,
    ``sub-P01_task-a_desc-recovered_eeg.xdf``.
    """
    stem, _, suffix = path.stem.rpartition("_")
    name = f"{stem}_desc-recovered_{suffix}" if "-" in stem else f"{path.stem}_recovered"
    return path.with_name(name + path.suffix)


def recover(source: Path | str, target: Path | str) -> Recovery:
    """Write all whole chunks of `source`, with new footers and checksums, to `target`.

    Raises
    ------
    DeviceNotFound, DeviceRefused
        There is no such file, or it is not XDF.
    FileExistsError
        `target` is there already; nothing is overwritten.
    """
    source, target = Path(source), Path(target)
    sums = read_checksums(source)
    data = map_file(source)
    accounts: dict[int, _Account] = {}
    n_dropped = n_unknown = n_unchecked = 0
    with CheckedFile(target) as file:
        for found in decoded(data, pieces_of(data, sums)):
            piece = found.piece
            if piece.state in KEPT:
                n_unchecked += piece.state == "unchecked"
                if piece.chunk is None or piece.chunk.tag != Tag.STREAM_FOOTER:
                    file.put(data[piece.offset : piece.end])
                    _keep(found, accounts)
                continue
            if piece.offset == len(MAGIC):  # the file's own header: readers expect one
                header = file_header(datetime.now(UTC))
                file.put(memoryview(small_chunk(Tag.FILE_HEADER, None, header)))
            n_dropped += max(min(piece.end, len(data)) - piece.offset, 0)
            n_unknown += piece.n_samples is None
            account = accounts.setdefault(piece.stream, _Account())
            account.n_lost += piece.n_samples or 0
        for number, account in sorted(accounts.items()):
            if account.layout is not None:
                file.put(memoryview(small_chunk(Tag.STREAM_FOOTER, number, account.footer())))
    return Recovery(
        source=str(source),
        target=str(target),
        streams=tuple(
            account.report(number)
            for number, account in sorted(accounts.items())
            if number and (account.layout is not None or account.n_lost)
        ),
        n_bytes_dropped=n_dropped,
        n_unknown=n_unknown,
        n_unchecked=n_unchecked,
    )


@dataclass
class _Account:
    layout: Layout | None = None
    n_kept: int = 0
    n_lost: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    offsets: list[tuple[float, float]] = field(default_factory=list)

    def footer(self) -> bytes:
        return stream_footer(self.first_s, self.last_s, self.n_kept, self.offsets)

    def report(self, number: int) -> StreamRecovery:
        name = "" if self.layout is None else self.layout.name
        rate_hz = 0.0 if self.layout is None else self.layout.rate_hz
        lost_s = self.n_lost / rate_hz if rate_hz else None
        return StreamRecovery(number, name, self.n_kept, self.n_lost, lost_s)


def _keep(found: Decoded, accounts: dict[int, _Account]) -> None:
    chunk = found.piece.chunk
    if chunk is None or found.layout is None:
        return
    account = accounts.setdefault(chunk.stream, _Account())
    account.layout = found.layout
    if found.offset is not None:
        account.offsets.append(found.offset)
    if found.samples is not None and len(found.samples.times):
        times = found.samples.times
        account.first_s = account.first_s if account.n_kept else float(times[0])
        account.last_s = float(times[-1])
        account.n_kept += len(times)
