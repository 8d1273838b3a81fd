"""Networks on recordings of real brains, through the live path; small, so that it takes moments.

What they reach when they are trained in full is in docs/figures.md.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bci_server.config import load_session
from bci_server.evaluation.evaluate import Controls, evaluate_each
from decoders.calibrating.calibration import calibrate
from decoders.models.rnn import Rnn
from devices.adapters.recording import Recording

ROOT = Path(__file__).resolve().parents[2]


def test_a_small_lstm_follows_the_hand_and_not_another_time(
    shared_data: Path, tmp_path: Path, dataset_script: Callable[..., int]
) -> None:
    archives = sorted((shared_data / "m1_stevenson").glob("*.npz"))
    if not archives:
        pytest.skip(f"no archive in {shared_data / 'm1_stevenson'}")
    for name, part in (("fit", ("--to", "0.8")), ("rest", ("--from", "0.8"))):
        assert dataset_script("m1_stevenson", archives[0], tmp_path / f"{name}.xdf", *part) == 0
    fit, rest = (
        Recording(str(tmp_path / f"{name}.xdf"), stream="spikes", truth="velocity", speed=math.inf)
        for name in ("fit", "rest")
    )
    session = load_session(ROOT / "examples" / "sessions" / "reach_lstm.toml")
    assert isinstance(session.decoder, Rnn)
    small = replace(session.decoder, units=32, members=1, epochs=8, batch=32, learning_rate=0.01)
    model = calibrate(session.pipeline, small, [fit], ("vx", "vy"), scored=False)
    controls = [Controls(), Controls(shift_s=50.0)]
    said, shifted = (
        result.metrics["r2"]
        for result in evaluate_each(model, session.pipeline, small, [rest], controls=controls)
    )
    assert sum(said) / 2 >= 0.70
    assert max(shifted) <= 0.05
