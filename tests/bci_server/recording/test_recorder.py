import subprocess

import numpy as np
import pytest

from bci_server.about import About
from bci_server.control import Mark, Shutdown, StartRecording, StopRecording
from bci_server.loop import Loop
from bci_server.recording.items import Content
from bci_server.recording.names import Record
from bci_server.recording.recorder import Recorder
from bci_server.recording.state import RecordingRefused
from bci_server.safety.gate import Shape
from bci_server.safety.guard import Guard
from bci_server.safety.limits import Safety
from bci_server.wire import DecoderName
from decoders.deciding.trials import Trials
from decoders.output import Prediction
from decoders.pipeline import Pipeline
from decoders.transcript import Transcript
from devices.adapters.lsl import Lsl
from devices.clock import MONOTONIC, ManualClock
from devices.discovery import StreamMatch
from devices.recording.recorded import Recorded
from devices.recording.verify import verify
from devices.signal import Chunk, Marker
from tests.bci_server.scripted import SIGNAL, ScriptedControls, ScriptedStream, samples
from tests.devices.lsl_sender import Sender, unique
from tests.devices.recording.recordings import load

SESSION = 'name = "demo" # µ\r\n[device]\n'
DECODER = DecoderName("count", "1", "abc")
TRIALS = Trials({"go": "a", "stop": "b"}, start_s=0.0, end_s=0.2)
WAIT_S = 60.0


class Adaptive:
    """A decoding whose every word hangs on all that came before: values, gaps, events."""

    def __init__(self):
        self.state = 0.1

    def __call__(self, chunk, moment):
        if not len(chunk):
            return ()
        for event in moment.events:
            self.state += 0.01 * len(event.label) + 1e-3 * (event.sample % 7) + sum(event.values)
            self.state += 0.1 * len(event.kind)
        self.state = 0.9 * self.state + 0.1 * float(np.tanh(chunk.values.mean()))
        p = 1 / (1 + np.exp(-self.state))
        return (Prediction(("a", "b"), (p, 1 - p)),)


class StampedStream(ScriptedStream):
    """A stream whose sender has a clock of its own."""

    own = np.empty(0)

    def read(self, timeout_s):
        chunk = super().read(timeout_s)
        if chunk is not None:
            self.own = chunk.times * (1 + 1e-6) + 1e6 / 3
        return chunk

    def sender_times(self):
        return self.own


class Bench:
    """A loop on a scripted stream, and its recorder on a real disk."""

    def __init__(self, folder, script, controls=(), markers=(), stream=ScriptedStream, **more):
        on = more.pop("on", None)
        self.clock = ManualClock() if on is None else on[1]
        self.stream = stream(self.clock, script, markers=markers) if on is None else on[0]
        self.controls = ScriptedControls(self.clock, controls)
        record = more.pop("record", Record(participant="P01", folder=str(folder)))
        own = self.stream.sender_times() is not None
        content = Content("demo", "amp-1", SIGNAL, has_sender_times=own, about={"file": SESSION})
        self.recorder = Recorder(record, content, self.clock, **more)
        safety = Safety()
        shape = Shape("velocity", ("vx",), "m/s")
        self.transcript = Transcript()
        self.loop = Loop(
            About("demo", "amp-1", DECODER),
            self.stream,
            Listening(pipeline().start(SIGNAL, lambda features: Adaptive()), self.transcript),
            Guard(shape, safety, DECODER, self.clock),
            safety,
            None,
            [],
            self.controls,
            self.clock,
            self.recorder,
        )

    def run(self):
        path = self.recorder.start_and_wait(WAIT_S)
        ending = self.loop.run()
        self.recorder.close(ending.state, ending.reason, WAIT_S)
        return path


def pipeline():
    return Pipeline(0.05, trials=TRIALS)


class Listening:
    """A run that writes down what it says."""

    def __init__(self, run, transcript):
        self._run, self._transcript = run, transcript
        self.signal, self.hop = run.signal, run.hop
        self.problem_with = run.problem_with

    def feed(self, chunk, markers=(), events=()):
        for decoded in self._run.feed(chunk, markers, events):
            self._transcript.add(decoded.moment.sample, decoded.outputs)
            yield decoded


def random_script(rng, n_chunks=150):
    """Chunks of random size with random values, some after a gap, one with a bad value."""
    script, first, due_s = [], 0, 0.0
    for i in range(n_chunks):
        n = int(rng.integers(1, 12))
        gap = bool(rng.random() < 0.05)
        first += int(rng.integers(50, 200)) * gap
        chunk = samples(first, n, gap=gap)
        chunk.values[:] = rng.normal(0, 3, chunk.values.shape)
        if i == 60:
            chunk.values[0, 0] = np.nan
        first += n
        due_s = max(due_s + 1e-3, first / SIGNAL.rate_hz)
        script.append((due_s, chunk))
    return script


def replay(recorded):
    """Feed a recording to the same pipeline, and return the hash of what it says."""
    run = pipeline().start(recorded.signal, lambda features: Adaptive())
    transcript = Transcript()
    for fed in recorded.turns():
        chunk = Chunk(fed.times, fed.values, fed.gap)
        for decoded in run.feed(chunk, fed.markers, fed.events):
            transcript.add(decoded.moment.sample, decoded.outputs)
    return transcript.sha256


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("stream", [ScriptedStream, StampedStream])
def test_a_replay_says_what_the_session_said_to_the_bit(tmp_path, seed, stream):
    rng = np.random.default_rng(seed)
    script = random_script(rng)
    end_s = script[-1][0]
    markers = [
        Marker(t, str(rng.choice(["go", "stop"]))) for t in np.sort(rng.uniform(0, end_s, 9))
    ]
    marks = [(t, Mark(label="hit", source="client")) for t in np.sort(rng.uniform(0, end_s, 9))]
    target = Mark(label="up", kind="target", values=(0.1, -1 / 3))
    marks += [(t, target) for t in np.sort(rng.uniform(0, end_s, 4))]
    marks += [(end_s, Mark(label="", kind="error", sample=1))]
    marks.sort(key=lambda mark: mark[0])
    bench = Bench(tmp_path, script, marks, markers, stream)
    path = bench.run()
    assert verify(path).verdict == "clean"
    recorded = Recorded.open(path)
    assert recorded.signal == SIGNAL
    assert replay(recorded) == bench.transcript.sha256
    end = recorded.log()[-1]
    assert (end["log"], end["state"]) == ("end", "ended")
    assert end["outputs_sha256"] == bench.transcript.sha256
    said = Transcript()
    assert [said.add(*parsed(line)) for line in recorded.lines()] == list(recorded.lines())
    assert said.sha256 == bench.transcript.sha256


def parsed(line):
    from decoders.transcript import parse_line

    return parse_line(line)


def test_other_programs_read_samples_stamps_clock_and_markers(tmp_path):
    script = random_script(np.random.default_rng(0), 40)
    whole = np.concatenate([c.values for _, c in script])
    times = np.concatenate([c.times for _, c in script])
    path = Bench(tmp_path, script, markers=[Marker(0.5, "go")], stream=StampedStream).run()
    assert path.name == "sub-P01_task-demo_run-001_eeg.xdf"
    streams = load(path)
    eeg = streams["demo"]
    assert eeg["info"]["type"] == ["EEG"]
    assert eeg["info"]["source_id"] == ["amp-1"]
    np.testing.assert_array_equal(eeg["time_series"], whole)
    np.testing.assert_array_equal(eeg["time_stamps"], times * (1 + 1e-6) + 1e6 / 3)
    np.testing.assert_array_equal(streams["demo times"]["time_series"][:, 0], times)
    assert len(eeg["clock_times"]) > 0
    assert eeg["info"]["desc"][0]["bci"][0]["file"] == [SESSION]
    cues = streams["demo markers"]
    assert (cues["time_stamps"].tolist(), cues["time_series"]) == ([0.5], [["go"]])
    chunks = streams["demo chunks"]["time_series"]
    np.testing.assert_array_equal(chunks[:, 1], [len(c) for _, c in script])
    np.testing.assert_array_equal(chunks[:, 2], [c.gap for _, c in script])
    assert len(streams["demo messages"]["time_series"]) > 0


def test_clients_start_and_stop_a_recording_as_often_as_they_like(tmp_path):
    script = [(0.05 * (i + 1), samples(5 * i, 5, float(i))) for i in range(100)]
    asked = [
        (1.01, StartRecording(call=1)),
        (2.01, StopRecording(call=2)),
        (2.51, StopRecording(call=3)),
        (3.01, StartRecording(call=4)),
    ]
    bench = Bench(tmp_path, script, asked)
    ending = bench.loop.run()
    bench.recorder.close(ending.state, ending.reason, WAIT_S)
    answers = {a.call: a for a in bench.controls.answers}
    assert all(answers[i].ok for i in (1, 2, 3, 4))
    assert answers[1].file == answers[2].file
    assert answers[3].file is None
    assert answers[4].file.endswith("run-002_eeg.xdf")
    first, second = (load(answers[i].file)["demo"]["time_series"][:, 0] for i in (1, 4))
    assert round(float(first.min())) >= 20
    assert round(float(first.max())) <= 41
    assert round(float(second.max())) == 99
    assert all(verify(answers[i].file).verdict == "clean" for i in (1, 4))


def test_a_session_without_a_record_section_says_what_to_add(tmp_path):
    bench = Bench(tmp_path, [(0.05, samples(0, 5))], [(0.01, StartRecording(call=9))])
    bench.loop._desk._recorder = None
    bench.loop.run()
    (answer,) = bench.controls.answers
    assert not answer.ok
    assert "[record]" in answer.fix
    bench.recorder.close("ended", "", WAIT_S)


def test_a_folder_that_cannot_be_written_is_refused_with_its_name(tmp_path):
    (tmp_path / "file").write_text("no folder")
    bench = Bench(tmp_path / "file", [])
    with pytest.raises(RecordingRefused, match=str(tmp_path / "file")):
        bench.recorder.start_and_wait(WAIT_S)
    assert bench.recorder.state.path is None
    bench.recorder.close("ended", "", WAIT_S)


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 256 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"cannot mount a file system: {made.stderr.decode()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(tiny_disk):
    script = [(0.05 * (i + 1), samples(50 * i, 50)) for i in range(600)]
    record = Record(participant="P01", folder=str(tiny_disk), sync_s=0.01)
    bench = Bench(tiny_disk, script, record=record)
    path = bench.run()
    assert bench.loop._n_samples == 600 * 50  # the loop went on to the end
    state = bench.recorder.state
    assert "recording_disk_full" in state.alarms
    report = verify(path)
    assert report.verdict in ("clean", "unfinished")
    assert report.damages == ()
    assert 0 < report.streams[0].n_samples < 600 * 50
    assert len(load(path)["demo"]["time_series"]) == report.streams[0].n_samples


def test_a_disk_that_is_nearly_full_raises_an_alarm(tmp_path):
    record = Record(participant="P01", folder=str(tmp_path), sync_s=0.01, warn_free_mb=1e12)
    recorder = Recorder(record, Content("demo", "amp", SIGNAL), MONOTONIC)
    recorder.start_and_wait(WAIT_S)
    deadline_s = MONOTONIC.now() + WAIT_S
    while "recording_disk_nearly_full" not in recorder.state.alarms:
        assert MONOTONIC.now() < deadline_s
    recorder.close("ended", "", WAIT_S)


def test_closing_what_never_began_leaves_nothing(tmp_path):
    bench = Bench(tmp_path, [])
    bench.recorder.close("ended", "", WAIT_S)
    assert list(tmp_path.iterdir()) == []


def test_what_came_over_lsl_replays_exactly_with_its_gaps_clock_jumps_and_markers(tmp_path, lsl):
    sender = Sender(lsl, unique("live"), labels=list(SIGNAL.channels))
    words = lsl.StreamOutlet(lsl.StreamInfo(unique("words"), "Markers", 1, 0.0, "string", "w-1"))
    device = Lsl(source_id=sender.source_id, markers=StreamMatch(words.get_info().name()))
    rng = np.random.default_rng(0)
    with device.open() as stream:
        sender.wait()
        assert words.wait_for_consumers(WAIT_S)
        now_s = MONOTONIC.now()
        script = [(now_s + 2.0, Shutdown(call=1)), (now_s + 0.5, Mark(call=2, label="hit"))]
        bench = Bench(tmp_path, [], sorted(script, key=lambda s: s[0]), on=(stream, MONOTONIC))
        stamps = []
        for first in (0, 130, 10_130):  # a gap, and a clock that jumps
            for start in range(first, first + 100, 20):
                times = sender.t0 - 3 + np.arange(start, start + 20) / 100
                stamps.append(times)
                sender.push(rng.normal(size=(20, 2)), times)
            words.push_sample(["go"], float(times[0]))
        path = bench.run()
    assert bench.loop._n_samples == 300
    assert verify(path).verdict == "clean"
    recorded = Recorded.open(path)
    turns = list(recorded.turns())
    np.testing.assert_array_equal(
        np.concatenate([t.sender_times for t in turns]), np.concatenate(stamps)
    )
    assert sum(t.gap for t in turns) == 2
    assert sum(len(t.markers) for t in turns) > 0
    assert replay(recorded) == bench.transcript.sha256 == recorded.log()[-1]["outputs_sha256"]


def test_integers_are_recorded_as_integers(tmp_path):
    content = Content("spikes", "array", SIGNAL, modality="ieeg", format="int16")
    record = Record(participant="P01", modality="ieeg", folder=str(tmp_path))
    recorder = Recorder(record, content, MONOTONIC)
    path = recorder.start_and_wait(WAIT_S)
    values = np.arange(-30, 30, dtype=np.int16).reshape(30, 2)
    recorder.take(Chunk(np.arange(30) / 100, values), None, (), (), None, 0.0)
    recorder.close("ended", "", WAIT_S)
    stream = load(path)["spikes"]
    assert stream["time_series"].dtype == np.int16
    np.testing.assert_array_equal(stream["time_series"], values)
