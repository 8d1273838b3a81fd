"""``bci doctor``: its findings as text and JSON, and what its exit code says."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from bci_server import doctor
from bci_server.__main__ import app
from bci_server.doctor import Finding

OK = Finding("ok", "LSL's clock [is] well")
WARN = Finding("warn", "the governor is powersave", "Run: cpupower frequency-set -g performance")
FAIL = Finding("fail", "there is no liblsl", "pip install -U pylsl")


@pytest.mark.parametrize(
    ("findings", "code"), [([OK], 0), ([OK, WARN], 1), ([FAIL, WARN, OK], 2), ([], 0)]
)
def test_the_exit_code_is_the_worst_finding(
    findings: list[Finding], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _ports: findings)
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["doctor"])
    assert result.exit_code == code
    assert all(f.what in result.stdout and f.fix in result.stdout for f in findings)


def test_the_ports_asked_for_are_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []
    monkeypatch.setattr(doctor, "examine", lambda ports: asked.append(list(ports)) or [])
    CliRunner().invoke(app, ["doctor", "--port", "9001", "--port", "9002"])
    CliRunner(env={"BCI_PORT": "9003"}).invoke(app, ["doctor"])
    assert asked == [[9001, 9002], [9003]]


def test_json_has_every_finding_of_this_machine() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bci_server", "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ},
    )
    findings = json.loads(done.stdout)["findings"]
    levels = {f["level"] for f in findings}
    assert done.returncode == (2 if "fail" in levels else 1 if "warn" in levels else 0)
    assert "Traceback" not in done.stderr
    assert any("liblsl" in f["what"] for f in findings)
    assert all(f["fix"] for f in findings if f["level"] != "ok")
