"""``bci leaderboard``: which decoders are compared, and what is said of each."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bci_server.__main__ import app
from bci_server.catalog import UnknownKind
from bci_server.cli.leaderboard import _show
from bci_server.cli.outcome import CommandError, Exit
from bci_server.evaluation.leaderboard import Cell, Times


def run(*arguments: object) -> Result:
    runner = CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(app, ["leaderboard", *map(str, arguments)])


def test_decoders_stand_beside_chance_control_and_times(
    session_file: Path, recordings: tuple[Path, Path]
) -> None:
    kinds = ("--decoder", "mdm", "--decoder", "fbcsp")
    result = run(session_file, *recordings, *kinds, "--leave-out", "recording", "--json")
    assert result.exit_code == Exit.OK, result.output
    said = json.loads(result.stdout)
    assert said["split"] == "recording"
    assert "band" in said["unfit"]["fbcsp"]  # these covariances are of one band
    mdm = said["decoders"]["mdm"]
    assert set(mdm) == {
        "score",
        "value",
        "ci95",
        "chance",
        "n",
        "folds",
        "control",
        "fit_s",
        "model_kb",
        "p50_ms",
        "p99_ms",
        "auc",
        "auc_ci95",
    }
    assert set(mdm["folds"]) == {file.as_posix() for file in recordings}
    assert mdm["value"] > mdm["chance"] + 0.2 > mdm["control"]
    assert mdm["ci95"][0] <= mdm["value"] <= mdm["ci95"][1]
    assert mdm["auc_ci95"][0] <= mdm["auc"] <= mdm["auc_ci95"][1]
    assert mdm["auc"] > 0.7
    assert 0 < mdm["p50_ms"] <= mdm["p99_ms"]


def test_a_person_reads_a_table_and_what_does_not_fit(
    session_file: Path, recordings: tuple[Path, Path]
) -> None:
    result = run(session_file, recordings[0], "--decoder", "tangent_space", "--decoder", "fbcsp")
    assert result.exit_code == Exit.OK, result.output
    for word in ("tangent_space", "control", "chance 0.5", "fit s"):
        assert word in result.stdout
    assert "fbcsp does not fit" in result.stderr


def test_what_cannot_be_compared_is_said(session_file: Path, recordings: tuple[Path, Path]) -> None:
    result = run(session_file, recordings[0], "--decoder", "ridge")
    assert isinstance(result.exception, CommandError)
    assert "none of these kinds says what" in str(result.exception)
    result = run(session_file, recordings[0], "--score", "r2")
    assert isinstance(result.exception, CommandError)
    assert "not scored by r2" in str(result.exception)
    assert isinstance(run(session_file, recordings[0], "--decoder", "no").exception, UnknownKind)


def test_the_table_fits_into_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    times = Times(fit_s=12.3, model_kb=1005.1, p50_ms=0.2, p99_ms=10.3)
    cell = Cell(
        score="accuracy",
        value=0.9,
        ci95=(0.83, 1.0),
        chance=0.5,
        n=30,
        folds={},
        control=0.5,
        times=times,
    )
    _show({"xdawn_covariance": cell}, {})
    (row,) = (r for r in capsys.readouterr().out.splitlines() if "xdawn" in r)
    assert row.split() == [
        *("xdawn_covariance", "0.900", "0.83", "to", "1.00"),
        *("0.500", "12.30", "0.20/10.30", "1005.1"),
    ]
