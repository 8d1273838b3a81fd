"""What `replay_exact.py` runs sessions on: a simulator, EEG, spikes, and a clock that was reset."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bci_server.config import Session, parse_session
from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from decoders.decoder import Training
from decoders.describe import describe, describe_pipeline
from devices.adapters.recording import Recording
from devices.adapters.simulator_eeg import SimulatorEeg
from devices.device import Device
from devices.signal import Signal

LSL_SPEED = 40.0
"""How many times faster than real time is sent over LSL."""

_TAIL = "\n[safety]\nstall_ms = 2000\nttl_ms = 3000\nlease_ms = 5000\n"


@dataclass(frozen=True)
class Source:
    """Something to run sessions on: a session without its record section, and its device."""

    name: str
    session: Session
    device: Callable[[int], Device]
    over_lsl: bool = False


def sources(data: Path, folder: Path) -> list[Source]:
    """Return what sessions are run on, each with its model."""
    eight = simulator(folder)
    eeg = _eeg(data, folder)
    return [
        eight,
        eeg,
        spikes(data, folder),
        clock_resets(data, folder),
        over_lsl(eight),
        over_lsl(eeg),
    ]


def over_lsl(source: Source) -> Source:
    """Return the same sessions on what is sent over LSL."""
    return replace(source, name=f"{source.name} over LSL", over_lsl=True)


def _described(name: str, folder: Path, body: str) -> Session:
    text = f'name = "{name}"\n[device]\nkind = "simulator_eeg"\n{body}'
    return parse_session(text.replace("MODEL", str(folder / f"model-{name}")), folder)


def simulator(folder: Path) -> Source:
    """Return sessions on a simulated EEG of eight channels."""

    def device(seed: int) -> SimulatorEeg:
        return SimulatorEeg(
            n_channels=8, seed=seed, duration_s=40.0, trial_s=1.0, pause_s=0.5, speed=LSL_SPEED
        )

    body = """
        [blocks]
        hop_s = 0.1
        [[stages]]
        kind = "bandpass"
        low_hz = 8.0
        high_hz = 30.0
        [[stages]]
        kind = "covariance"
        window_s = 0.5
        [decoder]
        kind = "tangent_space"
        model = "MODEL"
        [trials]
        labels = { left = "left", right = "right" }
        start_s = 0.5
        end_s = 1.0
    """
    session = _described("simulator", folder, body + _TAIL)
    fit = replace(device(999), speed=math.inf)
    calibrate(session.pipeline, session.decoder, [fit]).save(session.model)
    return Source("simulator", session, device)


def _eeg(data: Path, folder: Path) -> Source:
    runs = ("S001R05", "S001R06", "S001R09", "S001R10")

    def device(seed: int) -> Recording:
        file = data / "eegmmi_s001" / f"{runs[seed % len(runs)]}.edf"
        return Recording(str(file), speed=LSL_SPEED)

    example = Path(__file__).resolve().parents[1] / "examples/sessions/motor_imagery.toml"
    text = example.read_text().replace("models/motor_imagery", str(folder / "model-eeg")) + _TAIL
    session = parse_session(text, folder)
    fit = replace(device(0), speed=math.inf)
    calibrate(session.pipeline, session.decoder, [fit]).save(session.model)
    return Source("eegmmi_s001", session, device)


def spikes(data: Path, folder: Path) -> Source:
    """Return sessions on a macaque's spikes."""
    file = folder / "m1.xdf"
    root = Path(__file__).resolve().parents[1]
    script = root / "examples" / "datasets" / "m1_stevenson.py"
    archive = data / "m1_stevenson" / "stevenson_first70.npz"
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, script, archive, file, "--to", "0.3"]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)

    def device(seed: int) -> Recording:
        return Recording(
            str(file), stream="spikes", truth="velocity", speed=LSL_SPEED, chunk_s=0.2,
            start_s=float(seed % 60),
        )  # fmt: skip

    body = """
        [blocks]
        hop_s = 0.05
        [decoder]
        kind = "kalman"
        model = "MODEL"
        [target]
        stream = "velocity"
    """
    session = _described("spikes", folder, body + _TAIL)
    fit = replace(device(0), speed=math.inf, start_s=0.0)
    calibrate(session.pipeline, session.decoder, [fit]).save(session.model)
    return Source("m1_stevenson", session, device)


def clock_resets(data: Path, folder: Path) -> Source:
    """Return sessions on a recording whose clock was reset."""
    file = data / "xdf_lsl" / "clock_resets.xdf"

    def device(seed: int) -> Recording:
        return Recording(str(file), stream="BioSemi", speed=100.0, chunk_s=0.05)

    body = """
        [blocks]
        hop_s = 0.05
        [[stages]]
        kind = "log_power"
        window_s = 0.2
        [decoder]
        kind = "lda"
        model = "MODEL"
    """
    session = _described("resets", folder, body + _TAIL)
    with device(0).open() as stream:
        signal = stream.signal
    _save_model(session, signal)
    return Source("clock_resets", session, device)


def _save_model(session: Session, signal: Signal) -> None:
    """Save a model that was fitted to noise: the file says nothing that could be decoded."""
    features = session.pipeline.extract(signal).features
    rng = np.random.default_rng(0)
    targets = np.arange(200) % 2
    rows = rng.normal(0, 2, (200, features.n_channels)) + targets[:, None]
    labels = ("a", "b")
    training = Training(features, rows, targets, np.arange(200), labels, "")
    Artifact(
        decoder=describe(session.decoder),
        pipeline=describe_pipeline(session.pipeline),
        signal=signal,
        labels=labels,
        unit="",
        weights=session.decoder.fit(training),
        training_sha256="",
    ).save(session.model)
