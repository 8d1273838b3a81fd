"""``bci stream``: real processes on real LSL."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bci_server import catalog
from bci_server.__main__ import app
from bci_server.cli.outcome import CommandError, Exit

EEG = ("simulator_eeg", "--n-channels", "8", "--seed", "1")


@contextmanager
def streaming(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bci_server", "stream", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def receive(
    lsl: Any, process: subprocess.Popen[str], name: str, n_samples: int
) -> tuple[Any, list[list[float]]]:
    streams: list[Any] = []
    for _ in range(24):  # a process has to start, which takes long on a busy machine
        if streams or process.poll() is not None:
            break
        streams = lsl.resolve_byprop("name", name, 1, 5.0)
    if not streams:
        process.kill()
        raise AssertionError(f"no stream {name}: {process.communicate()}")
    (found,) = streams
    inlet = lsl.StreamInlet(found)
    samples = [inlet.pull_sample(30.0)[0] for _ in range(n_samples)]
    inlet.close_stream()
    return found, samples


def test_samples_arrive_in_order_from_the_first(lsl: Any) -> None:
    once = ("--duration-s", "1", "--speed", "4", "--wait", "20", "--json")
    with streaming(*EEG, *once, "--as", "cap-in-order", "--as-type", "Test") as process:
        found, samples = receive(lsl, process, "cap-in-order", 250)
        out, errors = process.communicate(timeout=60)
    assert (found.type(), found.channel_count(), found.nominal_srate()) == ("Test", 8, 250.0)
    assert process.returncode == Exit.OK, errors
    assert json.loads(out) == {"kind": "simulator_eeg", "name": "cap-in-order", "n_samples": 250}
    recipe = catalog.load("devices", "simulator_eeg")
    with recipe(n_channels=8, seed=1, speed=float("inf"), chunk_s=1.0).open() as same:
        expected = same.read(1.0).values[:250]
    assert samples == expected.tolist()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(lsl: Any, kind: signal.Signals) -> None:
    name = f"cap-{kind.name}"
    with streaming(*EEG, "--as", name) as process:
        receive(lsl, process, name, 1)
        process.send_signal(kind)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == Exit.OK
    assert out == ""
    assert "samples sent" in errors
    assert "Traceback" not in errors


def test_it_ends_with_the_program_that_started_it(lsl: Any) -> None:
    with streaming(*EEG, "--as", "cap-eof", "--until-eof") as process:
        receive(lsl, process, "cap-eof", 1)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == Exit.OK


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with streaming("recording", str(tmp_path / "no.edf")) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == Exit.NOT_FOUND
    assert errors.splitlines()[-1].startswith("Error: ")
    assert "no.edf" in errors
    assert "Traceback" not in errors


def test_an_unknown_kind_says_which_there_are() -> None:
    result = CliRunner().invoke(app, ["stream", "simulator_eg"])
    assert isinstance(result.exception, CommandError)
    assert "simulator_eeg" in str(result.exception)


def test_help_lists_every_kind() -> None:
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["stream", "--help"])
    assert result.exit_code == Exit.OK
    assert all(kind in result.stdout for kind in catalog.kinds("devices"))


@pytest.mark.parametrize("kind", catalog.kinds("devices"))
def test_every_kind_has_help_for_every_option(kind: str) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["stream", kind, "--help"])
    assert result.exit_code == Exit.OK, result.output
    assert "--as-source-id" in result.stdout


def test_a_kind_whose_library_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(group: catalog.Group, kind: str) -> type:
        raise catalog.BrokenPlugin(f"the kind {kind!r} cannot be used here: No module")

    monkeypatch.setattr(catalog, "load", broken)
    result = CliRunner().invoke(app, ["stream", "recording"])
    assert isinstance(result.exception, CommandError)
    assert "cannot be used here" in str(result.exception)
