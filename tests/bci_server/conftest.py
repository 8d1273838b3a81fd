import math
import re
import subprocess
import sys
import textwrap
from functools import partial

import numpy as np
import pytest

from bci_server.config import parse_session
from decoders.artifact import Artifact
from decoders.decoder import Training
from decoders.describe import describe, describe_pipeline
from devices.adapters.simulator_eeg import SimulatorEeg
from devices.recording.xdf_writer import XdfStream, XdfWriter


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Installs a distribution that adds kinds of every group, as a stranger's would."""
    folder = tmp_path / "site"
    info = folder / "strangers-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        textwrap.dedent("""
        [bci_server.devices]
        stranger = stranger_device
        broken = stranger_broken
        two = stranger_two
        [bci_server.stages]
        gain = stranger_gain:Gain
        [bci_server.decoders]
        sides = stranger_sides
        follow = stranger_follow
        mouth = stranger_mouth
        """)
    )
    for name, source in _MODULES.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in _MODULES:
        sys.modules.pop(name, None)


_MODULES = {
    "stranger_device": """
        from dataclasses import dataclass
        __all__ = ["Stranger"]

        @dataclass(frozen=True)
        class Stranger:
            board: str
            rate_hz: float = 250.0
            gain: int = 24
            channels: tuple[str, ...] = ("C3", "C4")

            def __post_init__(self):
                if self.rate_hz <= 0:
                    raise ValueError(f"rate_hz must be positive, not {self.rate_hz!r}")
        """,
    "stranger_broken": "import a_library_that_is_not_there\n__all__ = []\n",
    "stranger_two": """
        from dataclasses import dataclass
        __all__ = ["A", "B"]

        @dataclass(frozen=True)
        class A: ...

        @dataclass(frozen=True)
        class B: ...
        """,
    "stranger_gain": """
        from dataclasses import dataclass

        @dataclass(frozen=True)
        class Gain:
            gain: float = 1.0
        """,
    "stranger_follow": """
        from dataclasses import dataclass
        __all__ = ["Follow"]

        @dataclass(frozen=True)
        class Follow:
            shrinkage: float = 0.1
            task = "continuous"
        """,
    "stranger_mouth": """
        from dataclasses import dataclass
        __all__ = ["Mouth"]

        @dataclass(frozen=True)
        class Mouth:
            shrinkage: float = 0.1
            task = "speech"
        """,
    "stranger_sides": """
        from dataclasses import dataclass
        __all__ = ["Sides"]

        @dataclass(frozen=True)
        class Sides:
            shrinkage: float = 0.1
            task = "classes"
        """,
}


@pytest.fixture(scope="session")
def fresh_python():
    """Runs a line of Python in a new process and returns what it prints."""

    def run(line):
        return subprocess.run(
            [sys.executable, "-c", line], capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()

    return run


SESSION = """
name = "imagery"
[device]
kind = "simulator_eeg"
n_channels = 8
rate_hz = 250
duration_s = {duration_s}
speed = {speed}
[blocks]
hop_s = 0.02
[[stages]]
kind = "log_power"
window_s = 0.1
[decoder]
kind = "lda"
model = "model"
[commands]
names = ["x"]
values = {{ left = [-1], right = [1] }}
[outlet]
lsl = {lsl}
"""


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A fitted model for `SESSION`, in a folder of its own."""
    folder = tmp_path_factory.mktemp("models")
    text = SESSION.format(duration_s=10.0, speed="inf", lsl="false")
    session = parse_session(text, folder)
    signal = session.device.open().signal
    features = session.pipeline.extract(signal).features
    rng = np.random.default_rng(0)
    sides = np.arange(40) % 2
    rows = rng.standard_normal((40, features.n_channels)) + sides[:, None]
    training = Training(features, rows, sides, np.arange(40), ("left", "right"))
    Artifact(
        decoder=describe(session.decoder),
        pipeline=describe_pipeline(session.pipeline),
        signal=signal,
        labels=training.labels,
        unit="",
        weights=session.decoder.fit(training),
        training_sha256="0" * 64,
    ).save(session.model)
    return session.model


@pytest.fixture(scope="session")
def headset(tmp_path_factory):
    """A minute of the simulated headset of `SESSION`, as the section of a device that plays it.

    An engine that plays it back begins a second sooner than one that simulates it.
    """
    path = tmp_path_factory.mktemp("headset") / "minute.xdf"
    device = SimulatorEeg(n_channels=8, duration_s=60.0, speed=math.inf, chunk_s=60.0)
    with device.open() as stream, XdfWriter.create(path) as xdf:
        chunk, signal = stream.read(1.0), stream.signal
        eeg = XdfStream("eeg", "EEG", "float32", signal.channels, signal.unit, signal.rate_hz)
        xdf.write(xdf.add_stream(eeg), chunk.values, chunk.times)
    return f'kind = "recording"\npath = "{path}"\nloop = true\nspeed = {{speed}}'


@pytest.fixture(scope="session")
def write_session(model, headset):
    """Writes a session file that uses the fitted model; returns its path.

    Its device is a simulator that ends after `duration_s`; or else a recording of it, over and
    over; or `device`.
    """

    def write(folder, name="imagery", duration_s="inf", speed=1.0, lsl="false", device=""):
        text = SESSION.format(duration_s=duration_s, speed=speed, lsl=lsl)
        text = text.replace('"imagery"', f'"{name}"').replace('"model"', f'"{model}"')
        if device or duration_s == "inf":
            section = device or headset.format(speed=speed)
            text = re.sub(r"\[device\]\n([^\[].*\n)*", f"[device]\n{section}\n", text)
        file = folder / f"{name}.toml"
        file.write_text(text)
        return file

    return write


@pytest.fixture
def session_file(tmp_path, write_session):
    """Writes a session file into the test's own folder; returns its path."""
    return partial(write_session, tmp_path)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Sessions on the simulator at forty times its speed, with their model."""
    from benchmarks.replay_sources import simulator

    return simulator(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def simulated_recording(simulated, tmp_path_factory):
    """A session of these, recorded by the engine."""
    from benchmarks.replay_exact import run_session

    return run_session(simulated, 1, tmp_path_factory.mktemp("recording"))
