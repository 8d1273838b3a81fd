import os
import signal
import socket
import subprocess
import sys
import time

import msgspec
import pytest

from bci_server.config import load_session
from bci_server.control import (
    Answer,
    ArmLease,
    EngineMessage,
    Goodbye,
    Heartbeat,
    Mark,
    RenewLease,
    Shutdown,
    StartRecording,
    StopNow,
    StopRecording,
)
from bci_server.engine import conduct
from bci_server.link.engine_end import EngineEnd
from bci_server.link.frames import Frames, frame
from bci_server.wire import CommandMessage, MarkerMessage, PredictionMessage, StatusMessage
from decoders.artifact import Artifact
from decoders.stage import Mismatch
from decoders.transcript import Transcript
from devices.recording.recorded import Recorded
from devices.recording.recover import recover
from devices.recording.verify import verify
from devices.signal import Chunk

WAIT_S = 60.0


class Engine:
    """A real engine process, and a web process's end of the line to it."""

    def __init__(self, folder, file):
        self.path = str(folder / "engine.sock")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        fd = self._listener.fileno()
        life_fd, self._life = os.pipe()
        options = {"file": str(file), "listen_fd": fd, "life_fd": life_fd}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bci_server.engine", msgspec.json.encode(options).decode()],
            pass_fds=(fd, life_fd),
            stderr=subprocess.PIPE,
        )
        os.close(life_fd)
        self.connect()

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(self.path)
        self.frames = Frames()
        self.decode = msgspec.msgpack.Decoder(EngineMessage).decode
        self.heard = []

    def say(self, control):
        self.socket.sendall(frame(msgspec.msgpack.encode(control)))

    def hear(self, what, kind):
        """Return the next message of `kind` for which `what` holds."""
        deadline_s = time.monotonic() + WAIT_S
        while time.monotonic() < deadline_s:
            while self.heard:
                message = self.heard.pop(0)
                if isinstance(message, kind) and what(message):
                    return message
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self.process.wait(WAIT_S))
            self.heard += [self.decode(p) for p in self.frames.feed(data)]
        raise TimeoutError(f"no {kind}")

    def status(self, state):
        return self.hear(lambda m: m.state == state, StatusMessage)

    def schedulers(self):
        tasks = os.listdir(f"/proc/{self.process.pid}/task")
        return [os.sched_getscheduler(int(task)) for task in tasks]

    def let_go(self):
        os.close(self._life)
        self._life = None

    def close(self):
        self.socket.close()
        self._listener.close()
        if self._life is not None:
            os.close(self._life)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_S)
        self.process.stderr.close()


@pytest.fixture
def start(tmp_path):
    engines = []

    def started(file):
        engines.append(Engine(tmp_path, file))
        return engines[-1]

    yield started
    for engine in engines:
        engine.close()


def test_it_runs_is_armed_is_marked_is_stopped_and_shuts_down(start, session_file):
    engine = start(session_file())
    running = engine.status("running")
    assert running.scheduling in ("fifo", "nice", "normal")
    if running.scheduling == "fifo":  # what decodes, and what hears somebody say stop
        assert engine.schedulers().count(os.SCHED_FIFO) >= 2
    assert running.device == "recording:minute.xdf:eeg"
    engine.hear(lambda m: m.labels == ("left", "right"), PredictionMessage)
    neutral = engine.hear(lambda m: bool(m.decoded), CommandMessage)
    assert (neutral.mode, neutral.reason) == ("neutral", "disarmed")
    engine.say(ArmLease(call=1, holder="anna", limits={"x": 0.5}))
    engine.say(RenewLease(call=2, holder="anna"))  # at once: on a busy machine it may be over soon
    answer = engine.hear(lambda m: m.call == 1, Answer)
    assert (answer.ok, answer.lease_ms) == (True, 300.0)
    assert engine.hear(lambda m: m.call == 2, Answer).ok
    command = engine.hear(lambda m: m.armed, CommandMessage)
    assert command.mode == "velocity"
    assert abs(command.values[0]) <= 0.5
    engine.say(Mark(call=3, label="go"))
    sample = engine.hear(lambda m: m.call == 3, Answer).sample
    assert engine.hear(lambda m: m.label == "go", MarkerMessage).sample == sample
    engine.say(StopNow(call=4, holder="anna"))
    engine.hear(lambda m: m.reason == "stopped", CommandMessage)
    engine.say(Shutdown(call=5))
    assert engine.status("ended").reason == "shut down on request"
    assert engine.hear(lambda m: True, Goodbye).state == "ended"
    assert engine.process.wait(WAIT_S) == 0


def test_the_end_of_a_recording_is_an_end_and_no_failure(start, session_file):
    engine = start(session_file(duration_s=2.0, speed="inf"))
    assert engine.hear(lambda m: True, Goodbye).state == "ended"
    assert engine.process.wait(WAIT_S) == 0


def test_it_looks_for_a_device_that_is_not_there_and_says_so(start, session_file, lsl):
    file = session_file(device='kind = "lsl"\nname = "nobody-has-this"\ntimeout_s = 0.3')
    engine = start(file)
    waiting = engine.hear(lambda m: m.reason.startswith("waiting: "), StatusMessage)
    assert waiting.state == "starting"
    assert "nobody-has-this" in waiting.reason
    engine.say(Shutdown(call=1))
    assert engine.process.wait(WAIT_S) == 0


def test_it_goes_on_to_say_that_it_waits_however_long_the_device_takes(start, session_file):
    engine = start(session_file(device='kind = "lsl"\nname = "nobody-either"\ntimeout_s = 600.0'))
    said = [engine.hear(lambda m: m.reason == "opening the device", StatusMessage)]
    said += [engine.hear(lambda m: m.reason == "opening the device", StatusMessage)]
    assert [m.state for m in said] == ["starting", "starting"]


def test_a_missing_model_fails_the_session_with_its_name(start, session_file):
    file = session_file()
    file.write_text(file.read_text().replace("/model", "/no_model"))
    engine = start(file)
    assert "no_model" in engine.status("failed").reason
    assert engine.hear(lambda m: True, Goodbye).state == "failed"
    assert engine.process.wait(WAIT_S) == 1
    assert b"Traceback" not in engine.process.stderr.read()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rate_hz = 250", "rate_hz = 500", ["250 Hz", "500 Hz"]),
        ("left = [-1]", "lift = [-1]", ["lift", "left, right"]),
        ("[outlet]", "[safety]\nstall_ms = 3\n[outlet]", ["every 4 ms", "stall_ms = 3"]),
    ],
)
def test_what_does_not_fit_together_is_refused_with_both(session_file, old, new, said):
    file = session_file(duration_s=9.0)
    file.write_text(file.read_text().replace(old, new))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(file.with_suffix(".sock")))
    listener.listen()
    end = EngineEnd(listener)
    with pytest.raises(Mismatch) as caught:
        conduct(load_session(file), end)
    end.close(Goodbye(state="failed"))
    assert all(words in str(caught.value) for words in said), caught.value


def test_killed_it_leaves_an_end_of_file_and_no_goodbye(start, session_file):
    engine = start(session_file())
    engine.status("running")
    engine.process.kill()
    with pytest.raises(EOFError):
        engine.hear(lambda m: True, Goodbye)


def test_stopped_it_falls_silent_and_continues_where_it_was(start, session_file):
    engine = start(session_file())
    engine.status("running")
    engine.process.send_signal(signal.SIGSTOP)
    engine.socket.settimeout(0.15)
    with pytest.raises(TimeoutError):
        engine.hear(lambda m: False, Heartbeat)
    engine.process.send_signal(signal.SIGCONT)
    engine.socket.settimeout(WAIT_S)
    engine.hear(lambda m: m.sample > 0, CommandMessage)


def test_a_lost_web_process_disarms_and_a_new_one_goes_on(start, session_file):
    engine = start(session_file())
    engine.status("running")
    engine.say(ArmLease(call=1, holder="anna", limits={"x": 0.5}))
    engine.hear(lambda m: m.armed, CommandMessage)
    engine.socket.close()
    engine.connect()
    assert engine.status("running").session == "imagery"
    engine.hear(lambda m: m.reason == "disarmed" and not m.armed, CommandMessage)


@pytest.mark.parametrize("how", ["life line", "SIGTERM"])
def test_it_ends_in_good_order_when_the_supervisor_goes_or_asks(start, session_file, how):
    engine = start(session_file())
    engine.status("running")
    if how == "SIGTERM":
        engine.process.send_signal(signal.SIGTERM)
    else:
        engine.let_go()
    assert engine.hear(lambda m: True, Goodbye).state == "ended"
    assert engine.process.wait(WAIT_S) == 0


def test_an_interrupt_from_the_terminal_is_the_supervisors_to_answer(start, session_file):
    engine = start(session_file())
    engine.status("running")
    engine.process.send_signal(signal.SIGINT)
    engine.hear(lambda m: m.sample > 100, CommandMessage)


def test_the_live_process_imports_no_fitting_library(session_file, fresh_python):
    file = session_file(duration_s=1.0, speed="inf")
    line = (
        "import socket, sys; from pathlib import Path;"
        "from bci_server.engine import conduct; from bci_server.config import load_session;"
        "from bci_server.link.engine_end import EngineEnd;"
        "listener = socket.socket(socket.AF_UNIX);"
        f"listener.bind({str(file.with_suffix('.sock'))!r}); listener.listen();"
        f"ending = conduct(load_session(Path({str(file)!r})), EngineEnd(listener));"
        "heavy = {'torch', 'sklearn', 'pyriemann', 'mne', 'fastapi', 'pydantic', 'asyncio'};"
        "print(ending.state, sorted(heavy & set(sys.modules)))"
    )
    assert fresh_python(line) == "ended []"


def replayed(path, file):
    """Feed a recording to the session file's pipeline and model; return the outputs' hash."""
    session, recorded, transcript = load_session(file), Recorded.open(path), Transcript()
    artifact = Artifact.load(session.model)
    run = artifact.run(recorded.signal, session.pipeline, session.decoder)
    for fed in recorded.turns():
        chunk = Chunk(fed.times, fed.values, fed.gap)
        for decoded in run.feed(chunk, fed.markers, fed.events):
            transcript.add(decoded.moment.sample, decoded.outputs)
    return transcript.sha256


def test_a_session_is_recorded_from_its_start_and_replays_exactly(start, session_file, tmp_path):
    file = session_file(duration_s=10.0, speed=5.0)
    file.write_text(file.read_text() + '[record]\nparticipant = "P01"\nsession = "02"\n')
    engine = start(file)
    engine.status("running")
    engine.say(Mark(call=1, label="go"))
    sample = engine.hear(lambda m: m.call == 1, Answer).sample
    status = engine.hear(lambda m: m.recording is not None, StatusMessage)
    assert status.recording.file == "sub-P01_ses-02_task-imagery_run-001_eeg.xdf"
    assert engine.hear(lambda m: True, Goodbye).state == "ended"
    assert engine.process.wait(WAIT_S) == 0
    path = tmp_path / "recordings/sub-P01/ses-02/eeg" / status.recording.file
    assert verify(path).verdict == "clean"
    recorded = Recorded.open(path)
    assert recorded.about["session_file"] == file.read_text()
    assert recorded.about["model"] == Artifact.load(load_session(file).model).hash
    feeds = list(recorded.turns())
    assert sum(len(f.times) for f in feeds) == 2500
    assert [e.sample for f in feeds for e in f.events] == [sample]
    end = recorded.log()[-1]
    assert end["state"] == "ended"
    assert replayed(path, file) == end["outputs_sha256"]


def test_a_killed_engine_leaves_a_recording_that_replays_as_far_as_it_goes(
    start, session_file, tmp_path
):
    file = session_file()
    file.write_text(file.read_text() + '[record]\nparticipant = "P01"\n')
    engine = start(file)
    engine.hear(lambda m: m.recording is not None and m.recording.n_samples > 300, StatusMessage)
    engine.process.kill()
    engine.process.wait(WAIT_S)
    (path,) = tmp_path.glob("recordings/sub-P01/eeg/*.xdf")
    report = verify(path)
    assert report.verdict == "unfinished"
    assert report.streams[0].n_samples > 300
    recovered = tmp_path / "recovered.xdf"
    recover(path, recovered)
    assert verify(recovered).verdict == "clean"
    lines = "".join(f"{line}\n" for line in Recorded.open(recovered).lines())
    assert len(lines) > 0
    session, transcript = load_session(file), Transcript()
    run = Artifact.load(session.model).run(
        Recorded.open(recovered).signal, session.pipeline, session.decoder
    )
    again = [
        transcript.add(decoded.moment.sample, decoded.outputs)
        for fed in Recorded.open(recovered).turns()
        for decoded in run.feed(Chunk(fed.times, fed.values, fed.gap), fed.markers, fed.events)
    ]
    assert "".join(f"{line}\n" for line in again if line).startswith(lines)


def test_a_recording_that_cannot_be_made_fails_the_session_with_the_reason(
    start, session_file, tmp_path
):
    (tmp_path / "taken").write_text("a file, no folder")
    file = session_file()
    file.write_text(file.read_text() + '[record]\nparticipant = "P01"\nfolder = "taken"\n')
    engine = start(file)
    reason = engine.status("failed").reason
    assert str(tmp_path / "taken") in reason
    assert engine.process.wait(WAIT_S) == 1
    assert b"Traceback" not in engine.process.stderr.read()


def test_clients_start_and_stop_the_recording(start, session_file, tmp_path):
    file = session_file()
    file.write_text(file.read_text() + '[record]\nparticipant = "P01"\nenabled = false\n')
    engine = start(file)
    assert engine.status("running").recording is None
    engine.say(StartRecording(call=1))
    path = engine.hear(lambda m: m.call == 1, Answer).file
    engine.hear(lambda m: m.recording is not None and m.recording.n_samples > 100, StatusMessage)
    engine.say(StopRecording(call=2))
    assert engine.hear(lambda m: m.call == 2, Answer).file == path
    assert verify(path).verdict == "clean"
