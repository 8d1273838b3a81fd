"""``bci calibrate``: from recordings to a model on disk."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner, Result

from bci_server.__main__ import app
from bci_server.cli.outcome import CommandError, Exit, exit_of
from bci_server.config import BadSession
from decoders.artifact import Artifact
from decoders.stage import Mismatch


def run(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["calibrate", *map(str, arguments)])


def test_it_writes_a_model_and_says_how_good_it_is(
    session_file: Path, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    result = run(session_file, *recordings, "-o", tmp_path / "fitted", "--json")
    assert result.exit_code == Exit.OK, result.output
    said = json.loads(result.stdout)
    model = Artifact.load(tmp_path / "fitted")
    assert said["hash"] == model.hash
    assert said["decoder"]["kind"] == "tangent_space"
    assert said["chosen"] == {"metric": "riemann"} == {"metric": said["decoder"]["metric"]}
    assert said["signal"] == {"rate_hz": 250.0, "channels": ["C3", "Cz", "C4"], "unit": "uV"}
    assert said["labels"] == ["left", "right"]
    assert said["metrics"]["n"] >= 20
    assert said["metrics"]["accuracy"] > said["metrics"]["chance_p95"]


def test_the_same_recordings_give_the_same_model(
    session_file: Path, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    said = [
        json.loads(run(session_file, recordings[0], "-o", tmp_path / name, "--json").stdout)
        for name in ("a", "b")
    ]
    assert said[0]["hash"] == said[1]["hash"]


def test_the_session_names_the_model_and_none_is_overwritten_unasked(
    session_file: Path, recordings: tuple[Path, Path]
) -> None:
    result = run(session_file, recordings[0])
    assert result.exit_code == Exit.OK, result.output
    assert re.search(r"tangent_space \w{12} \(metric = riemann\), fitted on", result.stdout)
    assert "accuracy" in result.stdout
    assert (session_file.parent / "model" / "manifest.json").exists()
    again = run(session_file, recordings[0])
    assert isinstance(again.exception, CommandError)
    assert "--replace" in str(again.exception)
    assert run(session_file, recordings[0], "--replace").exit_code == Exit.OK


def test_what_the_recording_lacks_is_said(
    session_file: Path, recordings: tuple[Path, Path]
) -> None:
    text = session_file.read_text()
    session_file.write_text(text.replace("left =", "jump ="))
    result = run(session_file, recordings[0])
    assert isinstance(result.exception, Mismatch)
    session_file.write_text(text.replace('"Cz"', '"Cz9"'))
    result = run(session_file, recordings[0])
    assert isinstance(result.exception, Mismatch)
    assert "Cz9" in str(result.exception)


def test_a_session_file_with_a_wrong_key_is_refused_before_anything_is_read(
    session_file: Path, tmp_path: Path
) -> None:
    session_file.write_text(session_file.read_text() + "\n[blocs]\nhop_s = 1\n")
    result = run(session_file, tmp_path / "no.xdf")
    assert isinstance(result.exception, BadSession)
    assert "blocs" in str(result.exception)


def test_without_session_or_recording_it_is_bad_usage() -> None:
    assert run().exit_code == Exit.BAD_INPUT
    refused = run("session.toml").exception
    assert refused is not None
    assert exit_of(refused) == Exit.BAD_INPUT
    assert "--live" in str(refused)
