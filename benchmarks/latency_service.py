"""Our side of the latency benchmark: fits a small linear map, then becomes ``bci serve``.

The job comes in the environment: stream name, channels, rate, samples a push, port, a folder for
temporary files. Nothing here differs from what a user would do by hand.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.config import load_session  # noqa: E402 - found by the line above
from decoders.calibrating.calibration import calibrate  # noqa: E402
from devices.clock import MONOTONIC, Clock  # noqa: E402
from devices.device import EndOfStream, Stream  # noqa: E402
from devices.signal import Chunk, Signal  # noqa: E402


def main() -> None:
    """Write the session file and the model, then replace this process by the server's."""
    folder = Path(os.environ["FEAS_TMP"])
    n_channels, rate_hz = int(os.environ["FEAS_CH"]), float(os.environ["FEAS_RATE"])
    hop_s = int(os.environ["FEAS_CHUNK"]) / rate_hz
    session = folder / "latency.toml"
    session.write_text(_SESSION.format(stream=os.environ["FEAS_STREAM"], hop_s=hop_s))
    _fit(session, n_channels, rate_hz)
    token = folder / "token"
    token.write_text("benchmark-token-0123456789abcdef\n")
    token.chmod(0o600)
    os.environ["PYTHONPATH"] = str(ROOT)
    serve = [sys.executable, "-m", "bci_server", "serve", str(session)]
    os.execv(
        sys.executable, [*serve, "--port", os.environ["FEAS_PORT"], "--token-file", str(token)]
    )


_SESSION = """\
name = "latency"
[device]
kind = "lsl"
name = "{stream}"
[blocks]
hop_s = {hop_s}
[[stages]]
kind = "bandpass"
low_hz = 8.0
high_hz = 30.0
order = 4
[[stages]]
kind = "log_power"
[decoder]
kind = "ridge"
history = 1
model = "model"
[target]
stream = "velocity"
channels = ["vx", "vy"]
"""


@dataclass(frozen=True)
class Noise:
    """A minute of noise and a truth that follows some of it: enough to fit a linear map on."""

    n_channels: int
    rate_hz: float
    unit: str

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        """Start at the beginning."""
        return _Noise(self)


class _Noise(Stream):
    truth_signal: Signal

    def __init__(self, recipe: Noise) -> None:
        names = tuple(f"ch{i:04d}" for i in range(recipe.n_channels))
        self.signal = Signal(recipe.rate_hz, names, recipe.unit)
        self.truth_signal = Signal(recipe.rate_hz, ("vx", "vy"), "m/s")
        self._rng = np.random.default_rng(0)
        self._read = 0
        self._truth: Chunk | None = None

    def read(self, timeout_s: float) -> Chunk:
        n = int(self.signal.rate_hz)
        if self._read >= 60 * n:
            raise EndOfStream
        times = np.arange(self._read, self._read + n) / n
        self._read += n
        values = self._rng.normal(0, 10, (n, self.signal.n_channels)).astype(np.float32)
        self._truth = Chunk(times, 0.1 * values[:, :2])
        return Chunk(times, values)

    def take_truth(self) -> Chunk | None:
        truth, self._truth = self._truth, None
        return truth

    def close(self) -> None:
        """Nothing is held."""


def _fit(path: Path, n_channels: int, rate_hz: float) -> None:
    session = load_session(path)
    noise = Noise(n_channels, rate_hz, "uV")
    model = calibrate(session.pipeline, session.decoder, [noise], ("vx", "vy"))
    model.save(session.model)


if __name__ == "__main__":
    main()
