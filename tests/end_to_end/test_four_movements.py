"""Four imagined movements and rest, told apart from one pair of runs to another."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bci_server.config import load_session
from bci_server.evaluation.evaluate import Controls, evaluate_each
from decoders.calibrating.calibration import calibrate
from devices.adapters.recording import Recording
from devices.recording.formats import open_recording

SESSION = Path(__file__).resolve().parents[2] / "examples/sessions/motor_imagery_4.toml"


def test_four_movements_and_rest(
    shared_data: Path, tmp_path: Path, dataset_script: Callable[..., int]
) -> None:
    folder = shared_data / "eegmmi_s001"
    runs = {"fit": (4, 6), "rest": (8, 10)}
    files = {name: [folder / f"S001R{run:02d}.edf" for run in runs[name]] for name in runs}
    if not all(file.exists() for pair in files.values() for file in pair):
        pytest.skip(f"no runs in {folder}")
    for name, pair in files.items():
        assert dataset_script("eegmmi", *pair, tmp_path / f"{name}.xdf") == 0
    whole = open_recording(tmp_path / "fit.xdf")
    (track,) = whole.tracks
    assert track.breaks.tolist() == [20_000]
    labels = [m.label for m in whole.markers["cues"]]
    assert {m: labels.count(m) for m in sorted(set(labels))} == {
        **{"feet": 8, "fists": 7, "left": 8, "rest": 30, "right": 7}
    }
    whole.close()
    fit, rest = (
        Recording(str(tmp_path / f"{name}.xdf"), speed=math.inf, chunk_s=1.0) for name in runs
    )
    session = load_session(SESSION)
    model = calibrate(session.pipeline, session.decoder, [fit], scored=False)
    controls = [Controls(), Controls(permute_seed=0)]
    result, permuted = evaluate_each(
        model, session.pipeline, session.decoder, [rest], controls=controls
    )
    scores = result.metrics
    confusion = np.array(scores["confusion"])
    recall = np.diag(confusion) / confusion.sum(axis=1)
    assert recall.mean() >= 0.4  # chance 0.2
    assert recall[scores["labels"].index("rest")] >= 0.6
    assert permuted.metrics["accuracy"] < scores["accuracy"] - 0.1


def test_a_file_of_no_run_is_refused(
    tmp_path: Path, dataset_script: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert dataset_script("eegmmi", tmp_path / "S001R01.edf", tmp_path / "out.xdf") == 1
    assert "its name must end in R03 to R14" in capsys.readouterr().err
