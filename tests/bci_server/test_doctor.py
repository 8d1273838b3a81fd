import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bci_server import doctor
from bci_server.doctor import Finding, examine
from devices.clock import ManualClock


def test_every_finding_that_is_not_ok_says_what_to_do(lsl):
    findings = examine(ports=())
    assert len(findings) >= 10
    for finding in findings:
        assert finding.what
        assert (finding.level == "ok") == (finding.fix == ""), finding
    json.dumps([dataclasses.asdict(f) for f in findings])


def test_lsl_is_found_and_passes_data_here(lsl):
    assert [f.level for f in doctor.probe_lsl()][:2] == ["ok", "ok"]


def test_lsl_and_the_rest_have_one_clock(lsl):
    assert doctor.check_clock().level == "ok"


def test_without_liblsl_the_rest_is_still_examined():
    code = (
        "from devices import liblsl\nliblsl.find_liblsl = lambda: None\n"
        "from bci_server.doctor import examine\n"
        "findings = examine(ports=())\n"
        "print(findings[0].level, findings[0].fix, len(findings) >= 6)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.startswith("fail Install a copy"), result.stderr
    assert result.stdout.strip().endswith("True")


def test_a_stream_that_cannot_be_found_fails_with_a_fix(lsl, monkeypatch):
    monkeypatch.setattr(doctor, "resolve", lambda match, timeout_s: [])
    (finding,) = doctor.probe_lsl(timeout_s=0.01)
    assert finding.level == "fail"
    assert "KnownPeers" in finding.fix


def test_multicast_that_cannot_be_sent_is_a_warning(monkeypatch):
    def unreachable():
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(doctor, "_joined_socket", unreachable)
    finding = doctor.check_multicast()
    assert finding.level == "warn"
    assert "ENETUNREACH" in finding.what


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finding = doctor.check_port(port)
    assert finding.level == "warn"
    assert str(port) in finding.what
    assert doctor.check_port(port).level == "ok"


@pytest.mark.parametrize(("late_s", "level"), [(0.0001, "ok"), (0.02, "warn")])
def test_late_wakeups_are_told(late_s, level):
    class LateClock(ManualClock):
        def sleep_until(self, time_s):
            super().sleep_until(time_s + late_s)

    finding = doctor.check_wakeups(LateClock())
    assert finding.level == level
    assert f"{1e3 * late_s:.2f} ms" in finding.what


@pytest.mark.parametrize(
    ("governors", "level"),
    [([], "ok"), (["performance"] * 2, "ok"), (["performance", "powersave"], "warn")],
)
def test_governors(tmp_path, governors, level):
    for number, governor in enumerate(governors):
        folder = tmp_path / f"cpu{number}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{governor}\n")
    assert doctor.check_governor(tmp_path).level == level


def test_containers_are_recognised(tmp_path):
    assert doctor.check_container(tmp_path).level == "ok"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".containerenv").touch()
    assert doctor.check_container(tmp_path).level == "warn"


def test_containers_are_recognised_by_their_control_group(tmp_path):
    (tmp_path / "proc" / "1").mkdir(parents=True)
    (tmp_path / "proc" / "1" / "cgroup").write_text("0::/kubepods/besteffort/pod1\n")
    assert "kubepods" in doctor.check_container(tmp_path).what


def test_looking_for_realtime_leaves_the_schedule_as_it_was():
    before = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    assert isinstance(doctor.check_realtime(), Finding)
    assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == before
