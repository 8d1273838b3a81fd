"""A session, and recordings of a simulated participant, as files."""

import math
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bci_server.__main__ import app
from bci_server.cli.outcome import Exit
from devices.adapters.simulator_eeg import SimulatorEeg
from devices.device import EndOfStream
from devices.recording.xdf_writer import XdfStream, XdfWriter

SESSION = """\
name = "imagery"

[device]
kind = "lsl"
name = "cap"

[blocks]
hop_s = 0.1
channels = ["C3", "Cz", "C4"]

[[stages]]
kind = "bandpass"
low_hz = 8.0
high_hz = 30.0

[[stages]]
kind = "covariance"
window_s = 1.0

[decoder]
kind = "tangent_space"
model = "model"

[trials]
labels = { left = "left", right = "right" }
"""


@pytest.fixture
def session_file(tmp_path: Path) -> Path:
    file = tmp_path / "session.toml"
    file.write_text(SESSION)
    return file


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two recordings of one simulated participant who imagines left and right movements."""
    folder = tmp_path_factory.mktemp("recordings")
    return _record(folder / "one.xdf", seed=1), _record(folder / "two.xdf", seed=2)


@pytest.fixture(scope="session")
def fitted(recordings: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's decoder, fitted to the first recording."""
    file = tmp_path_factory.mktemp("fitted") / "session.toml"
    file.write_text(SESSION)
    result = CliRunner().invoke(app, ["calibrate", str(file), str(recordings[0])])
    assert result.exit_code == Exit.OK, result.output
    return file.with_name("model")


@pytest.fixture
def calibrated(session_file: Path, fitted: Path) -> Path:
    """The file of a session whose model is there."""
    shutil.copytree(fitted, session_file.with_name("model"))
    return session_file


def _record(path: Path, seed: int) -> Path:
    device = SimulatorEeg(n_channels=8, seed=seed, speed=math.inf, duration_s=90.0, chunk_s=0.5)
    with device.open() as stream, XdfWriter.create(path) as xdf:
        signal = stream.signal
        eeg = xdf.add_stream(
            XdfStream("cap", "EEG", "float32", signal.channels, signal.unit, signal.rate_hz)
        )
        words = xdf.add_stream(XdfStream("cap-markers", "Markers", "string", ("marker",)))
        while True:
            try:
                chunk = stream.read(1.0)
            except EndOfStream:
                return path
            assert chunk is not None
            xdf.write(eeg, chunk.values, chunk.times)
            markers = stream.take_markers()
            xdf.write_texts(words, [m.label for m in markers], [m.time_s for m in markers])
