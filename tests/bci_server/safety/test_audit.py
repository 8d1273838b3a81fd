import errno
import json
import os
import threading

import pytest

from bci_server.safety.audit import FIRST, AuditLog, Unaudited, open_audit
from bci_server.safety.audit_check import check_audit
from bci_server.safety.guard import Transition
from devices.clock import ManualClock

CLOCK = ManualClock(5.0)


def transition(state="armed", was="disarmed", **fields):
    defaults = {"time_s": 6.0, "reason": "asked to arm", "who": "anna", "sample": 12, "lease": 3}
    return Transition(state=state, was=was, **{**defaults, **fields})


@pytest.fixture
def written(tmp_path):
    """A whole log of four transitions."""
    log = open_audit(tmp_path / "audit", "reach", {"decoder": "kalman"}, CLOCK)
    for state, was in (("armed", "disarmed"), ("active", "armed"), ("hold", "active")):
        log.note(transition(state, was, limits={"x": {"value": 0.5}}))
    log.note(transition("stop", "hold", reason="asked to stop"))
    log.close("ended: shut down")
    return log.path


def test_every_transition_is_kept_and_bound_to_those_before(written):
    lines = [json.loads(line) for line in written.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["begin", *["transition"] * 4, "end"]
    assert [line["n"] for line in lines] == list(range(6))
    assert [line["prev"] for line in lines] == [FIRST, *(line["hash"] for line in lines[:-1])]
    assert (lines[0]["session"], lines[0]["decoder"], lines[0]["time_s"]) == (
        "reach",
        "kalman",
        5.0,
    )
    assert lines[1]["limits"] == {"x": {"value": 0.5}}
    report = check_audit(written)
    assert (report.verdict, report.n_lines, report.why) == ("whole", 6, "")
    assert report.transitions == {"armed": 1, "active": 1, "hold": 1, "stop": 1}
    assert (report.last_state, report.last_hash) == ("stop", lines[-1]["hash"])
    assert report.about["session"] == "reach"


def test_a_run_that_was_cut_off_is_told_from_one_that_was_changed(written):
    whole = written.read_bytes()
    lines = whole.splitlines(keepends=True)
    written.write_bytes(whole[:-20])
    torn = check_audit(written)
    assert (torn.verdict, torn.n_lines, torn.torn_bytes) == ("unfinished", 5, len(lines[-1]) - 20)
    assert "cut off" in torn.why
    written.write_bytes(b"".join(lines[:3]))
    short = check_audit(written)
    assert (short.verdict, short.n_lines, short.torn_bytes) == ("unfinished", 3, 0)
    assert "good order" in short.why


@pytest.mark.parametrize(
    ("change", "line", "why"),
    [
        (lambda ls: [ls[0], ls[1].replace(b"anna", b"otto"), *ls[2:]], 2, "its hash is another"),
        (lambda ls: [ls[0], *ls[2:]], 2, "does not follow"),
        (lambda ls: ls[1:], 1, "does not follow"),
        (lambda ls: [ls[0], ls[2], ls[1], *ls[3:]], 2, "does not follow"),
        (lambda ls: [*ls[:2], ls[1], *ls[2:]], 3, "does not follow"),
        (lambda ls: [*ls[:2], b"a word\n", *ls[2:]], 3, "not a line"),
        (lambda ls: [ls[0][:40] + b"\xff" + ls[0][40:], *ls[1:]], 1, "line"),
    ],
)
def test_a_line_that_was_changed_removed_or_inserted_is_found(written, change, line, why):
    written.write_bytes(b"".join(change(written.read_bytes().splitlines(keepends=True))))
    report = check_audit(written)
    assert report.verdict == "broken"
    assert report.why.startswith(f"line {line} ")
    assert why in report.why
    assert report.n_lines == line - 1


def test_an_empty_file_is_none(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    assert check_audit(tmp_path / "empty").verdict == "broken"


def test_runs_of_one_second_have_files_of_their_own(tmp_path):
    logs = [open_audit(tmp_path, "reach", {}, CLOCK) for _ in range(3)]
    for log in logs:
        log.close()
    assert len({log.path for log in logs}) == 3
    assert all(check_audit(log.path).verdict == "whole" for log in logs)


def test_a_disk_that_is_full_is_told_and_what_was_kept_stays_whole(tmp_path, monkeypatch):
    log = AuditLog(tmp_path / "a.jsonl", {}, CLOCK)
    log.note(transition())
    failed = threading.Event()

    def full(fd, data):
        failed.set()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    while b"armed" not in log.path.read_bytes():
        failed.wait(0.001)
    monkeypatch.setattr("bci_server.safety.audit.os.write", full)
    log.note(transition("active", "armed"))
    assert failed.wait(10.0)
    log.close()
    assert "No space left" in log.failure
    assert check_audit(log.path).verdict == "unfinished"


def test_a_disk_that_does_not_follow_is_a_failure(tmp_path, monkeypatch):
    log = AuditLog(tmp_path / "a.jsonl", {}, CLOCK)
    stands, goes_on = threading.Event(), threading.Event()

    def stall(fd):
        stands.set()
        assert goes_on.wait(10.0)

    monkeypatch.setattr("bci_server.safety.audit.os.fsync", stall)
    log.note(transition())
    assert stands.wait(10.0)
    for _ in range(4096):
        log.note(transition())
    assert log.failure == ""
    log.note(transition())
    assert log.failure == "the disk is too slow"
    goes_on.set()
    log.close()


def test_where_no_log_can_be_begun_it_is_an_error(tmp_path):
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(OSError, match="taken"):
        open_audit(tmp_path / "taken", "reach", {}, CLOCK)
    nowhere = Unaudited("no room")
    nowhere.note(transition())
    assert nowhere.failure == "no room"
