"""``bci sessions``."""

import json

import pytest
from typer.testing import CliRunner

from bci_server.__main__ import app
from bci_server.cli.outcome import Exit, exit_of
from bci_server.cli.recording_lines import recording_lines
from bci_server.library import Library
from tests.devices.recording.recordings import record


@pytest.fixture
def bci(tmp_path):
    record(tmp_path / "sub-P07_task-rest_eeg.xdf")
    (tmp_path / "bad.xdf").write_text("hello")

    def run(*arguments):
        environment = {"COLUMNS": "80", "BCI_RECORDINGS": str(tmp_path)}
        result = CliRunner(env=environment).invoke(app, ["sessions", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            return exit_of(result.exception), str(result.exception)
        return result.exit_code, result.stdout

    return run


def test_recordings_are_listed_and_shown(bci):
    code, out = bci()
    assert code == Exit.OK
    assert "P07" in out
    assert "does not begin with" in out
    (entry,) = json.loads(bci("list", "--readable", "--json")[1])
    assert (entry["participant"], entry["task"]) == ("P07", "rest")
    code, out = bci("show", entry["id"])
    assert code == Exit.OK
    assert "3 channels [uV] at 100 Hz, 200 samples" in out
    assert json.loads(bci("show", entry["id"], "--json")[1]) == entry
    assert "No recording" in bci("list", "--participant", "P99")[1]


def test_recordings_are_tagged_and_searched(bci):
    (entry,) = json.loads(bci("search", "p07", "rest", "--json")[1])
    assert "tags: good pilot" in bci("tag", entry["id"], "pilot", "good")[1]
    assert len(json.loads(bci("list", "--tag", "good", "--json")[1])) == 1
    bci("untag", entry["id"], "good")
    assert json.loads(bci("list", "--tag", "good", "--json")[1]) == []
    assert len(json.loads(bci("--rebuild", "list", "--tag", "pilot", "--json")[1])) == 1
    assert "verified: clean" in bci("verify", entry["id"])[1]


def test_mistakes_are_said(bci, tmp_path):
    assert bci("show", "nope")[0] == Exit.NOT_FOUND
    (entry,) = json.loads(bci("list", "--readable", "--json")[1])
    assert bci("tag", entry["id"], "two words")[0] == Exit.BAD_INPUT
    code, message = bci("--folder", str(tmp_path / "no"), "list")
    assert code == Exit.BAD_INPUT
    assert "there is no folder" in message


@pytest.fixture
def entries(tmp_path):
    """Recordings in a folder as BIDS has it, one with tags, and a file that is none."""
    eeg = tmp_path / "sub-P07" / "ses-01" / "eeg"
    eeg.mkdir(parents=True)
    record(eeg / "sub-P07_ses-01_task-imagery_run-001_eeg.xdf")
    record(tmp_path / "sub-P12_task-rest_eeg.xdf")
    (tmp_path / "bad.xdf").write_text("hello")
    library = Library(tmp_path)
    library.scan()
    (one,) = [e for e in library.find() if e.participant == "P12"]
    library.tag(one.id, ["pilot", "good"])
    return library.find()


@pytest.mark.parametrize("width", [80, 120])
def test_what_is_too_wide_for_the_screen_goes_below_and_nothing_is_broken(entries, width):
    lines = [line.plain for line in recording_lines(entries, width)]
    assert max(map(len, lines)) <= width
    for entry in entries:
        at = [line.startswith(entry.id) for line in lines].index(True)
        assert lines[at + 1].split()[0] == entry.place
    assert "  sub-P12_task-rest_eeg.xdf  good pilot" in lines


def test_where_there_is_room_each_recording_has_one_line(entries):
    for width in (200, None):
        heading, *lines = (line.plain for line in recording_lines(entries, width))
        assert heading.split()[-2:] == ["tags", "file"]
        ends = {line.split()[-1] for line in lines if not line.startswith("  ")}
        assert ends == {entry.place for entry in entries}


def test_no_column_is_empty(entries):
    read = [entry for entry in entries if entry.participant == "P07"]
    heading, line = (line.plain for line in recording_lines(read, None))
    assert heading.split() == ["id", "participant", "task", "started", "length", "markers", "file"]
    assert line.split()[1:3] == ["P07", "imagery"]
    assert list(recording_lines([], 80)) == []
