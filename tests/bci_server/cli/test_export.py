"""``bci export``."""

import json

import pytest
from typer.testing import CliRunner

from bci_server.__main__ import app
from bci_server.cli.outcome import Exit, exit_of
from decoders.artifact import Artifact
from decoders.spiking.nir_file import import_model
from devices.signal import Signal
from tests.bci_server.export.sessions import write_session
from tests.decoders.spiking.made import drawn


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


def test_a_spiking_model_becomes_a_nir_file(tmp_path):
    pytest.importorskip("nir")
    signal = Signal(20.0, tuple("abcdef"), "count")
    model = Artifact(
        {"kind": "spiking"}, {}, signal, ("vx", "vy"), "m/s", drawn().arrays(), "0" * 64
    )
    model.save(tmp_path / "model")
    code, out = run(tmp_path / "model", "--to", "nir", "-o", tmp_path / "m.nir")
    assert code == Exit.OK
    assert model.hash in out
    assert import_model(tmp_path / "m.nir").hash == model.hash
    code, out = run(tmp_path / "model", "--to", "nir", "-o", tmp_path / "n.nir", "--json")
    assert json.loads(out)["hash"] == model.hash
    code, message = run(tmp_path / "model", "--to", "nir", "-o", tmp_path / "m.nir")
    assert code == Exit.BAD_INPUT
    assert "is there already" in message


def test_what_a_nir_file_does_not_take_is_said(tmp_path):
    code, message = run(tmp_path, "--to", "nir", "-o", tmp_path / "m.nir", "--anonymize")
    assert code == Exit.BAD_INPUT
    assert "takes none of --anonymize" in message
    code, message = run(tmp_path, tmp_path, "--to", "nir", "-o", tmp_path / "m.nir")
    assert code == Exit.BAD_INPUT
    assert "one model; 2 are named" in message
    code, message = run(tmp_path / "none", "--to", "nir", "-o", tmp_path / "m.nir")
    assert code == Exit.BAD_INPUT
    assert "there is no model" in message
