"""``bci verify``: whether a recording is whole, and what was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bci_server.cli.outcome import Exit
from bci_server.cli.screen import JsonOption, results, write_json

if TYPE_CHECKING:
    from devices.recording.tally import StreamReport
    from devices.recording.verify import Report

__all__ = ["show_report", "verify"]

_MEANING = {
    "clean": "every byte is as it was written, and the end is there",
    "unchecked": "its form is sound, but there are no checksums for all of it, so nobody can tell "
    "whether its samples are",
    "unfinished": "all that was acknowledged is there; it was not ended in good order. "
    "`bci recover` gives it an end",
    "damaged": "something that was written is gone or changed. `bci recover` saves the rest",
}
_MOST_SHOWN = 20


def verify(
    file: Annotated[Path, typer.Argument(help="An XDF recording.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Check a recording: every chunk, gaps, clock resets, stamps, footers, checksums.

    The exit code is 0 if every byte is as it was written, and 1 if not, or if nobody can tell.
    """
    from devices.recording.verify import verify as look

    report = look(file)
    if as_json:
        write_json(report)
    else:
        show_report(report)
    if report.verdict != "clean":
        raise typer.Exit(Exit.FAILED)


def show_report(report: Report) -> None:
    """Show a report to a person."""
    from rich.markup import escape

    console = results()
    console.print(f"{escape(report.path)}: [bold]{report.verdict}[/] – {_MEANING[report.verdict]}")
    counts = ", ".join(f"{n} {state}" for state, n in sorted(report.chunks.items()))
    console.print(f"{report.n_bytes:,} bytes; chunks: {counts}")
    console.print(f"sha256 of the samples: {report.sha256}")
    if report.n_damaged_records:
        console.print(f"{report.n_damaged_records} records of the checksums are damaged themselves")
    if not report.has_checksums:
        console.print("There are no checksums beside it (.xdf.crc).")
    for stream in report.streams:
        console.print(f"  {escape(_line(stream))}")
    for damage in report.damages[:_MOST_SHOWN]:
        lost = "" if damage.n_samples is None else f", {damage.n_samples} samples"
        console.print(
            f"byte {damage.offset:,}: {damage.state}, {damage.n_bytes:,} bytes of stream "
            f"{damage.stream or '?'}{lost}: {escape(damage.why)}"
        )
    if len(report.damages) > _MOST_SHOWN:
        console.print(f"… and {len(report.damages) - _MOST_SHOWN} more; --json has all of them")


def _line(s: StreamReport) -> str:
    parts = [f"{s.name} ({s.kind}): {_many(s.n_channels, 'channel')} of {s.format}"]
    if s.first_s is not None and s.last_s is not None:
        length = f" over {s.last_s - s.first_s:.3f} s from {s.first_s:.3f} s"
        parts.append(_many(s.n_samples, "sample") + length)
    else:
        parts.append("no samples")
    if s.rate_hz:
        measured = "" if s.effective_rate_hz is None else f"{s.effective_rate_hz:.6g} of "
        parts.append(f"{measured}{s.rate_hz:g} Hz")
    if s.n_gaps:
        parts.append(f"{_many(s.n_gaps, 'gap')} with {_many(s.n_lost, 'sample')} missing")
    if s.n_backward:
        parts.append(f"stamps go back {_many(s.n_backward, 'time')}")
    if s.n_not_finite:
        parts.append(f"{_many(s.n_not_finite, 'stamp')} not finite")
    if s.n_clock_resets:
        parts.append(f"{_many(s.n_clock_resets, 'clock reset')}")
    if s.footer != "agrees":
        parts.append("no footer" if s.footer == "missing" else "the footer counts otherwise")
    return ", ".join(parts)


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
