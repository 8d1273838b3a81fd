"""``bci devices``: streams on the network, and kinds that could be streamed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bci_server import catalog
from bci_server.__main__ import app
from bci_server.cli.outcome import Exit
from devices.liblsl import LslConfig


@pytest.fixture
def outlet(lsl):
    info = lsl.StreamInfo("[bold]Cap", "EEG", 4, 250, "float32", "cap-1")
    sender = lsl.StreamOutlet(info)
    yield sender
    del sender


def run(*arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["devices", *arguments])
    assert result.exit_code == Exit.OK, result.output
    return result.stdout


def until_found(*arguments: str) -> str:
    """Wait longer and longer: on a busy machine a stream may take more than a second to answer."""
    for wait_s in ("1", "5", "20"):
        if "[bold]Cap" in (shown := run(*arguments, "--wait", wait_s)):
            break
    return shown


@pytest.mark.usefixtures("outlet")
def test_json_lists_streams_and_kinds() -> None:
    found = json.loads(until_found("--json"))
    (cap,) = [s for s in found["streams"] if s["source_id"] == "cap-1"]
    assert (cap["name"], cap["n_channels"], cap["rate_hz"]) == ("[bold]Cap", 4, 250.0)
    kinds = [k["kind"] for k in found["kinds"]]
    assert kinds == [k for k in catalog.kinds("devices") if k != "lsl"]
    assert all(k["summary"] for k in found["kinds"])


@pytest.mark.usefixtures("outlet")
def test_a_person_sees_names_as_they_are_and_how_to_stream() -> None:
    shown = until_found()
    assert "[bold]Cap" in shown
    assert "250 Hz" in shown
    assert "simulator_eeg" in shown
    assert "bci stream KIND" in shown


def test_nothing_on_the_network_is_said(tmp_path: Path) -> None:
    config = tmp_path / "lsl_api.cfg"
    config.write_text(LslConfig.isolated().to_ini())
    done = subprocess.run(
        [sys.executable, "-m", "bci_server", "devices", "--wait", "0.2"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "LSLAPICFG": str(config)},
    )
    assert "No LSL stream answered within 0.2 s" in done.stdout
    assert "recording" in done.stdout


def test_a_kind_that_cannot_be_used_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    load = catalog.load

    def broken(group: catalog.Group, kind: str) -> type:
        if kind == "recording":
            raise catalog.BrokenPlugin("the kind 'recording' cannot be used here: No module x")
        return load(group, kind)

    monkeypatch.setattr(catalog, "load", broken)
    found = json.loads(run("--json", "--wait", "0.2"))
    (recording,) = [k for k in found["kinds"] if k["kind"] == "recording"]
    assert "No module x" in recording["problem"]
