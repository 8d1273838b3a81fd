"""``bci export``."""

import json

import pytest
from typer.testing import CliRunner

from bci_server.__main__ import app
from bci_server.cli.outcome import Exit, exit_of
from tests.bci_server.export.sessions import write_session


def run(*arguments):
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["export", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return exit_of(result.exception), str(result.exception)
    return result.exit_code, result.output


@pytest.fixture
def session(tmp_path):
    return write_session(tmp_path / "sub-P01_task-reach_eeg.xdf")


def test_what_survives_and_what_was_removed_is_shown(session, tmp_path):
    code, out = run(session, "--to", "csv", "-o", tmp_path / "out", "--anonymize")
    assert code == Exit.OK
    assert "as it was: samples, to the bit" in out
    assert "removed: the participant's name (Jane Doe)" in out
    assert "look through: labels of markers: left, links, Ärger, right" in out
    assert (tmp_path / "out" / "signal_cap.csv").is_file()


def test_json(session, tmp_path):
    code, out = run(session, "--to", "csv", "-o", tmp_path / "out", "--json")
    assert code == Exit.OK
    (report,) = json.loads(out)
    assert (report["format"], report["removed"]) == ("csv", [])
    assert report["target"] == str(tmp_path / "out")


def test_mistakes_are_said(session, tmp_path):
    assert run(session, "--to", "docx", "-o", tmp_path / "out")[0] == Exit.BAD_INPUT
    code, message = run(session, "--to", "csv", "-o", tmp_path)
    assert code == Exit.BAD_INPUT
    assert "nothing is overwritten" in message
    assert run(tmp_path / "no.xdf", "--to", "csv", "-o", tmp_path / "o")[0] == Exit.NOT_FOUND
