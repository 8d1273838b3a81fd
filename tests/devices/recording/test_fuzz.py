"""Recordings that were tampered with end in a result or in words, never in a crash."""

from pathlib import Path

from benchmarks.fuzz_recordings import rounds


def test_none_of_some_hundred_tampered_recordings_crashes(tmp_path: Path) -> None:
    n, came, crashes = rounds(5.0, 12345, tmp_path)
    assert not crashes, crashes[0]
    assert n > 20
    assert came["recording: opened"] > 0
    assert came["replay: refused"] > 0
