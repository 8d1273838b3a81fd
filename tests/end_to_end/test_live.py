"""The whole line as real processes says what the decoder says offline, to the bit.

``bci stream`` → LSL → ``bci serve`` → WebSocket → the Python client, faster than real time. Every
stage and decoder is cut at random in the contract suites; here, one decoder of each kind travels
the whole way, one in chunks of one sample, the other in chunks of one second.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from bci_server.config import Session, load_session
from benchmarks.live import Received, live
from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from decoders.gathering import read_all
from decoders.output import Output
from devices.adapters.simulator_eeg import SimulatorEeg
from devices.adapters.simulator_reach import SimulatorReach
from devices.device import Device

pytestmark = pytest.mark.slow

SPEED = 2.0

CLASSES = """\
name = "classes"
[device]
kind = "lsl"
name = "classes"
markers = { name = "classes-markers" }
[blocks]
hop_s = 0.1
[[stages]]
kind = "bandpass"
low_hz = 8.0
high_hz = 30.0
[[stages]]
kind = "covariance"
window_s = 1.0
[decoder]
kind = "tangent_space"
model = "classes.model"
[trials]
labels = { left = "left", right = "right" }
start_s = 1.0
end_s = 3.0
"""

VALUES = """\
name = "values"
[device]
kind = "lsl"
name = "values"
[blocks]
hop_s = 0.1
[decoder]
kind = "ridge"
history = 3
alpha = 0.3
model = "values.model"
"""


def calibrated(folder: Path, text: str, device: Device, target: tuple[str, ...] = ()) -> Path:
    file = folder / f"{text.split(chr(34))[1]}.toml"
    file.write_text(text)
    session = load_session(file)
    calibrate(session.pipeline, session.decoder, [device], target, scored=False).save(session.model)
    return file


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    device = SimulatorEeg(n_channels=8, seed=1, speed=math.inf, duration_s=60.0, chunk_s=1.0)
    return calibrated(tmp_path_factory.mktemp("classes"), CLASSES, device)


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    device = SimulatorReach(n_units=96, seed=1, speed=math.inf, duration_s=60.0, chunk_s=1.0)
    return calibrated(tmp_path_factory.mktemp("values"), VALUES, device, ("vx", "vy"))


def offline(
    session: Session, device: SimulatorEeg | SimulatorReach, *chunks_s: float
) -> dict[int, Output]:
    """Return what the decoder says of the device's samples, by the sample at which it does.

    However they are cut: in chunks of each of `chunks_s` it is the same.
    """
    artifact = Artifact.load(session.model)
    every = []
    for chunk_s in chunks_s:
        said: dict[int, Output] = {}
        with threadpool_limits(limits=1), replace(device, chunk_s=chunk_s).open() as stream:
            run = artifact.run(stream.signal, session.pipeline, session.decoder)
            for chunk, markers, _ in read_all(stream):
                for decoded in run.feed(chunk, markers):
                    said.update((decoded.moment.sample, output) for output in decoded.outputs)
        every.append(said)
    assert all(said == every[0] for said in every)
    return every[0]


def over_the_line(file: Path, kind: str, chunk_s: float, *options: str) -> Received:
    name = file.stem
    words = [kind, *options, "--as", name, "--chunk-s", str(chunk_s)]
    words += ["--speed", str(SPEED), "--wait", "60"]
    return live(file, file.parent / f"{name}.model", words, file.parent)


def compare(received: dict[int, Any], expected: dict[int, Any], seqs: list[int]) -> None:
    """What was received is what was to be expected, and what was not was replaced by newer."""
    assert received == {sample: expected[sample] for sample in received}
    assert seqs == sorted(set(seqs))
    assert max(received) == max(expected)
    assert min(received) <= sorted(expected)[len(expected) // 2]


@pytest.mark.usefixtures("lsl")
def test_a_decoder_of_classes_says_live_what_it_says_offline(classes: Path) -> None:
    device = SimulatorEeg(n_channels=8, seed=2, speed=math.inf, duration_s=25.0)
    expected = offline(load_session(classes), device, 0.004, 0.037, 1.0)
    options = ("--n-channels", "8", "--seed", "2", "--duration-s", "25")
    got = over_the_line(classes, "simulator_eeg", 0.004, *options)
    compare(
        {p.sample: (p.probabilities, p.decision) for p in got.predictions},
        {s: (o.probabilities, o.decision) for s, o in expected.items()},
        [p.seq for p in got.predictions],
    )
    # LSL reckons the clock's offset for markers and for samples apart: a cue may be one sample off.
    cues = [(p.cue_sample, expected[p.sample].cue_sample) for p in got.predictions if p.decision]
    assert all(abs(heard - shown) <= 1 for heard, shown in cues)
    decisions = [s for s, o in expected.items() if o.decision]
    assert len(decisions) >= 2
    assert [p.sample for p in got.predictions if p.decision] == decisions  # never skipped


@pytest.mark.usefixtures("lsl")
def test_a_decoder_of_values_says_live_what_it_says_offline(values: Path) -> None:
    device = SimulatorReach(n_units=96, seed=2, speed=math.inf, duration_s=25.0)
    expected = offline(load_session(values), device, 0.02, 0.35, 1.0)
    options = ("--n-units", "96", "--seed", "2", "--duration-s", "25")
    got = over_the_line(values, "simulator_reach", 1.0, *options)
    compare(
        {c.sample: c.decoded for c in got.commands},
        {s: o.values for s, o in expected.items()},
        [c.seq for c in got.commands],
    )
