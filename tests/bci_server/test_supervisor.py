import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bci_server.children import Served
from bci_server.supervisor import PortTaken, Supervisor, listen_on

WAIT_S = 60.0
TINY_WEB = Path(__file__).parent / "tiny_web.py"

MAIN = """
import json, logging, sys
from pathlib import Path
from bci_server.children import Served
from bci_server.supervisor import Supervisor, listen_on

logging.basicConfig(level=logging.INFO)
files, web, autostart = json.loads(sys.argv[1])
listener = listen_on("127.0.0.1", 0)
sessions = [Served(Path(f).stem, Path(f)) for f in files]
supervisor = Supervisor(sessions, listener, web, autostart)
print(listener.getsockname()[1], flush=True)
sys.exit(supervisor.run())
"""


class Server:
    """A real supervisor in a process of its own, with real engines and the tiny web process."""

    def __init__(self, files, runtime, web=(), autostart=True):
        command = [sys.executable, str(TINY_WEB), *web]
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, json.dumps([[str(f) for f in files], command, autostart])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"XDG_RUNTIME_DIR": str(runtime), "PYTHONPATH": os.getcwd()},
        )
        self.port = int(self.process.stdout.readline())

    def ask(self, *words):
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as client:
            client.sendall(json.dumps(words).encode() + b"\n")
            return json.loads(client.makefile().readline())

    def look(self):
        return self.ask("look")

    def until(self, holds):
        """Look until it holds; return the look."""
        deadline_s = time.monotonic() + WAIT_S
        while time.monotonic() < deadline_s:
            look = self.look()
            if holds(look):
                return look
        raise TimeoutError(look)

    def running(self, name="imagery"):
        return self.until(lambda look: look["states"].get(name) == "running")

    def children(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)

    def close(self):
        if self.process.poll() is None:
            self.end()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def runtime(tmp_path_factory):
    # Short: a Unix socket's path has at most 107 bytes.
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def serve(runtime):
    servers = []

    def started(*files, **options):
        servers.append(Server(files, runtime, **options))
        return servers[-1]

    yield started
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, write_session):
    """One server for the tests that leave its session running."""
    file = write_session(tmp_path_factory.mktemp("sessions"))
    server = Server([file], tmp_path_factory.mktemp("run"))
    yield server
    server.close()


def test_sessions_run_and_everything_ends_with_the_supervisor(serve, session_file, runtime):
    server = serve(session_file("imagery"), session_file("second"))
    server.running("imagery")
    look = server.running("second")
    (folder,) = runtime.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    assert {r["process"] for r in look["records"].values()} == {"running"}
    children = server.children()
    assert len(children) == 3
    began_s = time.monotonic()
    assert server.end() == 0
    assert time.monotonic() - began_s < 20
    assert psutil.wait_procs(children, timeout=WAIT_S)[1] == []
    assert list(runtime.iterdir()) == []


def test_no_orphan_is_left_when_the_supervisor_is_killed(serve, session_file):
    server = serve(session_file())
    server.running()
    children = server.children()
    assert len(children) == 2
    server.process.kill()
    assert psutil.wait_procs(children, timeout=WAIT_S)[1] == []


def test_a_killed_web_process_comes_back_and_clients_wait_for_it(server):
    before = server.running()
    os.kill(before["pid"], signal.SIGKILL)
    after = server.running()
    assert after["pid"] != before["pid"]
    record, old = after["records"]["imagery"], before["records"]["imagery"]
    assert (record["pid"], record["run"]) == (old["pid"], old["run"])


def test_a_killed_engine_is_named_and_a_restart_recovers(server):
    before = server.running()
    pid = before["records"]["imagery"]["pid"]
    os.kill(pid, signal.SIGKILL)
    look = server.until(lambda look: look["records"]["imagery"]["process"] == "exited")
    assert look["records"]["imagery"]["reason"] == "killed by SIGKILL"
    server.until(lambda look: look["lost"]["imagery"] == before["lost"]["imagery"] + 1)
    assert server.ask("RestartSession", {"session": "imagery"})["ok"]
    run = before["records"]["imagery"]["run"]
    server.until(lambda look: look["records"]["imagery"]["run"] == run + 1)
    assert server.running()["records"]["imagery"]["pid"] not in (None, pid)


def test_a_stopped_engine_is_silent_and_can_be_restarted(server):
    pid = server.running()["records"]["imagery"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    server.until(lambda look: look["states"]["imagery"] == "silent")
    assert server.ask("RestartSession", {"session": "imagery"})["ok"]
    assert not psutil.pid_exists(pid)
    server.running()


def test_sessions_are_started_stopped_and_given_another_model(serve, session_file, tmp_path):
    server = serve(session_file(), autostart=False)
    look = server.until(lambda look: "imagery" in look["records"])
    assert look["records"]["imagery"]["process"] == "stopped"
    assert server.ask("StartSession", {"session": "imagery"})["ok"]
    server.running()
    assert server.ask("StopSession", {"session": "imagery"})["ok"]
    assert server.look()["records"]["imagery"]["process"] == "stopped"
    assert server.look()["states"]["imagery"] == "ended"
    answer = server.ask("LoadModel", {"session": "imagery", "model": str(tmp_path / "nothing")})
    assert answer["ok"]
    look = server.until(lambda look: look["records"]["imagery"]["process"] == "exited")
    assert "nothing" in look["records"]["imagery"]["reason"]


def test_an_unknown_session_is_refused_with_those_there_are(server):
    answer = server.ask("StartSession", {"session": "imagry"})
    assert not answer["ok"]
    assert "'imagry'" in answer["error"]
    assert "imagery" in answer["fix"]


def test_a_session_whose_device_is_absent_does_not_keep_the_others_from_starting(
    serve, session_file, lsl
):
    absent = session_file("absent", device='kind = "lsl"\nname = "nobody"\ntimeout_s = 0.3')
    server = serve(absent, session_file())
    look = server.running("imagery")
    assert look["states"]["absent"] in ("", "starting")
    server.until(lambda look: look["states"]["absent"] == "starting")


def test_a_web_process_that_cannot_start_ends_the_server(serve, session_file):
    server = serve(session_file(), web=["--fail"])
    assert server.process.wait(WAIT_S) == 1
    said = server.process.stderr.read().decode()
    assert "no token file" in said
    assert "the web process cannot start" in said


def test_a_port_in_use_is_said_with_its_remedy():
    with listen_on("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(
            PortTaken, match=rf"127\.0\.0\.1:{port}: another program .* another port"
        ):
            listen_on("127.0.0.1", port)


def test_a_host_that_is_not_ours_is_refused():
    with pytest.raises(PortTaken, match=r"192\.0\.2\.1"):
        listen_on("192.0.2.1", 0)
    with pytest.raises(PortTaken, match="no-such-host"):
        listen_on("no-such-host.invalid", 0)


def test_two_sessions_of_one_name_are_refused(tmp_path):
    with listen_on("127.0.0.1", 0) as listener, pytest.raises(ValueError, match="imagery"):
        Supervisor([Served("imagery", tmp_path / "a"), Served("imagery", tmp_path / "b")], listener)


def test_the_supervisor_loads_neither_web_nor_decoders(fresh_python):
    line = (
        "import sys, bci_server.supervisor;"
        "print(sorted({'fastapi', 'uvicorn', 'asyncio', 'scipy', 'pylsl'} & set(sys.modules)))"
    )
    assert fresh_python(line) == "[]"
