"""``bci evaluate``: its JSON, its words, its controls."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from bci_server.__main__ import app
from bci_server.cli.outcome import CommandError, Exit
from decoders.artifact import ArtifactError
from decoders.stage import Mismatch


def run(command: str, *arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [command, *map(str, arguments)])


def evaluated(*arguments: object) -> dict[str, Any]:
    result = run("evaluate", *arguments, "--json")
    assert result.exit_code == Exit.OK, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_json_is_the_documented_shape(calibrated: Path, recordings: tuple[Path, Path]) -> None:
    said = evaluated(calibrated, recordings[1])
    assert set(said) == {
        "decoder",
        "recordings",
        "n_trials",
        "metrics",
        "latency_ms",
        "real_time_factor",
        "outputs_sha256",
    }
    assert said["n_trials"] >= 10
    assert said["metrics"]["accuracy"] > said["metrics"]["chance_p95"]
    assert said["real_time_factor"] > 1
    assert len(said["outputs_sha256"]) == 64


def test_the_outputs_are_the_same_again_and_the_controls_spoil_the_score_alone(
    calibrated: Path, recordings: tuple[Path, Path]
) -> None:
    said = evaluated(calibrated, recordings[1])
    permuted = evaluated(calibrated, recordings[1], "--permute-labels", "5")
    assert permuted["outputs_sha256"] == said["outputs_sha256"]
    assert permuted["metrics"]["accuracy"] < said["metrics"]["accuracy"]


def test_a_person_reads_score_chance_and_speed(
    calibrated: Path, recordings: tuple[Path, Path]
) -> None:
    result = run("evaluate", calibrated, *recordings)
    assert result.exit_code == Exit.OK
    for word in ("accuracy", "chance", "95 % interval", "(decided)", "faster than real time"):
        assert word in result.stdout


def test_a_missing_model_is_said(session_file: Path, recordings: tuple[Path, Path]) -> None:
    result = run("evaluate", session_file, recordings[0], "--model", session_file.parent / "none")
    assert isinstance(result.exception, ArtifactError)
    assert "none" in str(result.exception)


def test_a_model_of_other_channels_is_refused_with_both(
    calibrated: Path, recordings: tuple[Path, Path]
) -> None:
    calibrated.write_text(calibrated.read_text().replace('["C3", "Cz", "C4"]', '["C3", "C4"]'))
    result = run("evaluate", calibrated, recordings[1])
    assert isinstance(result.exception, Mismatch)


def test_each_recording_is_decoded_by_a_model_of_the_others(
    session_file: Path, recordings: tuple[Path, Path]
) -> None:
    said = evaluated(session_file, *recordings, "--leave-out", "recording")
    assert set(said) == {"by", "folds", "score", "mean", "mean_ci95", "pooled"}
    assert [fold["n_fitted"] for fold in said["folds"]] == [1, 1]
    assert said["pooled"]["accuracy"] > said["pooled"]["chance_p95"]
    result = run("evaluate", session_file, *recordings, "--leave-out", "recording")
    assert f"mean accuracy of 2 folds {said['mean']:.3f}" in result.stdout


def test_sessions_are_found_by_patterns(session_file: Path, recordings: tuple[Path, Path]) -> None:
    patterns = ("--person-pattern", "recordings", "--session-pattern", r"(\w+)\.xdf")
    said = evaluated(session_file, *recordings, "--leave-out", "session", *patterns)
    assert [fold["left_out"] for fold in said["folds"]] == ["recordings one", "recordings two"]
    result = run("evaluate", session_file, *recordings, "--leave-out", "session")
    assert isinstance(result.exception, Mismatch)
    assert "--session-pattern" in str(result.exception)


def test_models_of_others_and_a_model_exclude_each_other(
    session_file: Path, recordings: tuple[Path, Path]
) -> None:
    options = ("--leave-out", "recording", "--model", "m")
    result = run("evaluate", session_file, *recordings, *options)
    assert isinstance(result.exception, CommandError)
