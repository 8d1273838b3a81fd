"""``bci audit``."""

import json

from typer.testing import CliRunner

from bci_server.__main__ import app
from bci_server.cli.outcome import Exit
from bci_server.safety.audit import open_audit
from devices.clock import ManualClock
from tests.bci_server.safety.test_audit import transition


def run(*arguments):
    return CliRunner(env={"COLUMNS": "300"}).invoke(app, ["audit", *map(str, arguments)])


def test_a_log_is_said_to_be_whole_unfinished_or_broken(tmp_path):
    log = open_audit(tmp_path, "reach", {}, ManualClock())
    log.note(transition())
    log.close()
    whole = run(log.path)
    assert whole.exit_code == Exit.OK
    assert "whole" in whole.stdout
    assert "1 armed" in whole.stdout
    said = json.loads(run(log.path, "--json").stdout)
    assert (said["verdict"], said["n_lines"], said["last_state"]) == ("whole", 3, "armed")
    content = log.path.read_bytes()
    log.path.write_bytes(content[:-10])
    torn = run(log.path)
    assert torn.exit_code == Exit.OK
    assert "the last line was cut off" in torn.stdout
    log.path.write_bytes(content.replace(b"anna", b"otto"))
    broken = run(log.path)
    assert broken.exit_code == Exit.FAILED
    assert "line 2 was changed" in broken.stdout
