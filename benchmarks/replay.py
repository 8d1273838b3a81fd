"""How well a replay holds its schedule, and how fast it is.

    python benchmarks/replay.py [--minutes 30] [--real-seconds 120]

One recording of 64 channels of 250 Hz, in chunks of 20 ms that came up to 10 ms late, is replayed

- at its own speed on an injected clock, all of it;
- at its own speed on the real clock, for two minutes, decoding, as the engine does it (priority,
  frozen garbage collector); and the machine alone, which only waits for the same times: what it
  errs, no replay can better;
- as fast as the machine allows, on one core, through a band-pass, a covariance and a tangent space
  with hops of 500, 250 and 100 ms; and in parts, to see what costs: reading alone, each step more.

The error of the schedule is how far from its due time each chunk was given out: the time at which
it came when it was recorded, counted from the first.
"""

from __future__ import annotations

import argparse
import gc
import math
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from bci_server.config import Session, parse_session
from bci_server.recording.file import RecordingFile
from bci_server.recording.items import Content
from bci_server.replay import feed, passes
from bci_server.scheduling import raise_priority
from decoders.artifact import Artifact
from decoders.decoder import Training
from decoders.describe import describe, describe_pipeline
from decoders.numerics.spd import order, upper_index
from decoders.pipeline import Pipeline, Run
from decoders.stage import Chain
from devices.adapters.replay import Replay, ReplayStream
from devices.clock import MONOTONIC, Clock, ManualClock
from devices.recording.checked_file import CheckedFile
from devices.recording.recorded import Recorded, Turn
from devices.signal import Signal

_RATE_HZ, _N_CHANNELS, _CHUNK = 250.0, 64, 5
_HOPS_S = (0.5, 0.25, 0.1)
_WANTED_MS, _WANTED_SPEED = 5.0, 200.0
_SESSION = """
name = "fast"
[device]
kind = "simulator_eeg"
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
model = "none"
"""


def make_recording(path: Path, minutes: float) -> Signal:
    """Record noise whose chunks came late at random."""
    rng = np.random.default_rng(0)
    signal = Signal(_RATE_HZ, tuple(f"C{i}" for i in range(_N_CHANNELS)), "uV")
    recording = RecordingFile(
        CheckedFile(path), Content("fast", "amp", signal, about={"model": "none"}), 0.0
    )
    last_s = 0.0
    for first in range(0, round(minutes * 60 * _RATE_HZ), _CHUNK):
        times = 100.0 + np.arange(first, first + _CHUNK) / _RATE_HZ
        values = rng.standard_normal((_CHUNK, _N_CHANNELS), np.float32)
        last_s = max(last_s, float(times[-1]) + float(rng.uniform(0.001, 0.011)))
        recording.write(Turn(first, values, times, None, False, last_s))
    recording.end(last_s, "ended", "")
    return signal


def model(session: Session, signal: Signal) -> Artifact:
    """Fit the session's decoder to noise."""
    features = session.pipeline.extract(signal).features
    rng = np.random.default_rng(0)
    n = order(features.n_channels)
    windows = rng.standard_normal((60, 4 * n, n))
    rows = np.stack([(w.T @ w / len(w)).ravel()[upper_index(n)] for w in windows])
    targets = np.arange(60) % 2
    training = Training(features, rows, targets, np.arange(60), ("a", "b"), "")
    return Artifact(
        decoder=describe(session.decoder),
        pipeline=describe_pipeline(session.pipeline),
        signal=signal,
        labels=("a", "b"),
        unit="",
        weights=session.decoder.fit(training),
        training_sha256="",
    )


def schedule_errors_ms(device: Replay, clock: Clock, run: Run | None, for_s: float) -> list[float]:
    """Replay, and return how far from its due time each chunk came, in ms."""
    with Recorded.open(device.path) as recorded:
        due_s = recorded.received_s - recorded.received_s[0]
    errors: list[float] = []
    with device.open(clock) as stream:
        begun_s = math.nan
        for k, chunk in enumerate(passes(stream)):
            now_s = clock.now()
            begun_s = now_s if k == 0 else begun_s
            errors.append(1e3 * (now_s - begun_s - float(due_s[k])))
            if run is not None:
                for _ in feed(run, stream, chunk):
                    pass
            if due_s[k] > for_s:
                break
    return errors


def waiting_errors_ms(path: str, for_s: float) -> list[float]:
    """Wait for the same times and do nothing else: how late the machine itself is, in ms."""
    with Recorded.open(path) as recorded:
        due_s = recorded.received_s - recorded.received_s[0]
    begun_s = MONOTONIC.now()
    errors = []
    for due in due_s[due_s <= for_s].tolist():
        MONOTONIC.sleep_until(begun_s + due)
        errors.append(1e3 * (MONOTONIC.now() - begun_s - due))
    return errors


def speed(device: Replay, run: Run | None) -> tuple[float, float]:
    """Replay as fast as it goes; return how many times faster than real: by a core, by the wall."""
    core_s, wall_s = time.process_time(), MONOTONIC.now()
    with device.open() as stream:
        signal_s = sum(_decoded(stream, run)) / stream.signal.rate_hz
    return signal_s / (time.process_time() - core_s), signal_s / (MONOTONIC.now() - wall_s)


def _decoded(stream: ReplayStream, run: Run | None) -> list[int]:
    counts = []
    for chunk in passes(stream):
        counts.append(len(chunk))
        if run is not None:
            for _ in feed(run, stream, chunk):
                pass
    return counts


def main() -> int:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--real-seconds", type=float, default=120.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="replay-") as folder, threadpool_limits(1):
        path = Path(folder, "fast.xdf")
        signal = make_recording(path, options.minutes)
        session = parse_session(_SESSION, Path())
        artifact = model(session, signal)
        is_good = _show_speed(str(path), session, signal)
        real = Replay(str(path))
        run = artifact.run(signal, session.pipeline, session.decoder)
        injected = schedule_errors_ms(real, ManualClock(), None, math.inf)
        is_good &= _show(f"{options.minutes:g} min on an injected clock", injected)
        scheduling = raise_priority()
        gc.collect()
        gc.freeze()
        for_s = options.real_seconds
        _show(f"{for_s:g} s of waiting alone, {scheduling}", waiting_errors_ms(str(path), for_s))
        what = f"{for_s:g} s on the real clock, {scheduling}"
        is_good &= _show(what, schedule_errors_ms(real, MONOTONIC, run, for_s))
    return 0 if is_good else 1


def _show(what: str, errors_ms: list[float]) -> bool:
    most, p99 = max(map(abs, errors_ms)), np.percentile(np.abs(errors_ms), 99)
    print(f"schedule, {what}: {len(errors_ms)} chunks, error {most:.3f} ms at most, {p99:.3f} p99 "
          f"(wanted: {_WANTED_MS:g} at most)", flush=True)  # fmt: skip
    return bool(most <= _WANTED_MS)


def _show_speed(path: str, session: Session, signal: Signal) -> bool:
    device = Replay(path, math.inf)
    whole = session.pipeline
    factors = []
    runs: dict[str, Run | None] = {
        "reading alone": None,
        "… and cutting blocks": _only(whole, 0).start(signal, lambda _: _quiet),
        "… and the band-pass": _only(whole, 1).start(signal, lambda _: _quiet),
        "… and the covariance": _only(whole, 2).start(signal, lambda _: _quiet),
    }
    for hop_s in _HOPS_S:
        hopping = replace(session, pipeline=replace(whole, hop_s=hop_s))
        fitted = model(hopping, signal)
        run = fitted.run(signal, hopping.pipeline, hopping.decoder)
        runs[f"all, a hop of {1e3 * hop_s:.0f} ms"] = run
    for what, run in runs.items():
        factor, by_wall = speed(device, run)
        print(f"as fast as it goes, {what:24}{factor:8.0f} times real time for each second of a "
              f"core, {by_wall:6.0f} by the wall", flush=True)  # fmt: skip
        factors.append(factor)
    print(f"wanted: {_WANTED_SPEED:g}")
    return max(factors[-len(_HOPS_S) :]) >= _WANTED_SPEED


def _only(pipeline: Pipeline, n_stages: int) -> Pipeline:
    return replace(pipeline, stages=Chain(pipeline.stages.stages[:n_stages]))


def _quiet(*_: object) -> tuple[()]:
    return ()


if __name__ == "__main__":
    sys.exit(main())
