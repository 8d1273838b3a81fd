"""Targets, places, reaches and grips from spikes and field potentials, on what was not fitted."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bci_server.config import Session, load_session
from bci_server.evaluation.evaluate import Controls, evaluate, evaluate_each
from decoders.calibrating.calibration import calibrate
from decoders.models.ridge import Ridge
from devices.adapters.recording import Recording

SESSIONS = Path(__file__).resolve().parents[2] / "examples" / "sessions"
Make = Callable[..., Recording]


@pytest.fixture
def made(shared_data: Path, tmp_path: Path, dataset_script: Callable[..., int]) -> Make:
    """Make a recording of a data set, from one share to another."""

    def make(
        script: str, sources: list[str], stream: str, truth: str = "", *options: str
    ) -> Recording:
        paths = [next((shared_data / script).rglob(name)) for name in sources]
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.xdf"
        assert dataset_script(script, *paths, out, *options) == 0
        return Recording(str(out), stream=stream, truth=truth, speed=math.inf, chunk_s=20.0)

    return make


def session(name: str) -> Session:
    loaded = load_session(SESSIONS / f"{name}.toml")
    if isinstance(loaded.decoder, Ridge):  # one penalty of several: the choice takes seconds
        return replace(loaded, decoder=replace(loaded.decoder, alpha=0.3))
    return loaded


def test_the_plan_tells_the_target_before_the_hand_moves(made: Make) -> None:
    described = session("reach_target")
    source = ("reach_shenoy", ["shenoy_reach_open.npz"], "plan", "", "--plan")
    fit, rest = made(*source, "--to", "0.8"), made(*source, "--from", "0.8")
    model = calibrate(described.pipeline, described.decoder, [fit])
    assert model.metrics["accuracy"] >= 0.98
    controls = [Controls(), Controls(permute_seed=1)]
    result, control = evaluate_each(
        model, described.pipeline, described.decoder, [rest], controls=controls
    )
    assert result.n_trials == 128
    assert result.metrics["accuracy"] >= 0.95
    assert control.metrics["accuracy"] <= 0.22


@pytest.mark.parametrize(
    ("source", "least"), [("chewie_tr.npz", (0.62, 0.62)), ("mihi_demo.mat", (0.53, 0.58))]
)
def test_velocity_in_single_reaches(made: Make, source: str, least: tuple[float, float]) -> None:
    described, target = session("reach_trials"), ("vx", "vy")
    fit = made("m1_dad", [source], "spikes", "velocity", "--to", "0.8")
    rest = made("m1_dad", [source], "spikes", "velocity", "--from", "0.8")
    model = calibrate(described.pipeline, described.decoder, [fit], target, scored=False)
    controls = [Controls(), Controls(shift_s=200.0)]
    result, control = evaluate_each(
        model, described.pipeline, described.decoder, [rest], target, controls=controls
    )
    assert all(r2 >= at_least for r2, at_least in zip(result.metrics["r2"], least, strict=True))
    assert max(control.metrics["r2"]) <= 0.05


def test_place_cells_tell_where_the_rat_runs(made: Make) -> None:
    described, target = session("position"), ("x", "y")
    sources = ["spikes.mat", "trajectory.videoPositionTracking.gz"]
    fit = made("hippocampus_nelpy", sources, "spikes", "running", "--to", "0.52")
    model = calibrate(described.pipeline, described.decoder, [fit], target)
    assert min(model.metrics["r2"]) >= 0.5
    shifted = Controls(shift_s=200.0)
    control = evaluate(
        model, described.pipeline, described.decoder, [fit], target, controls=shifted
    )
    assert max(control.metrics["r2"]) <= 0.1


def test_three_grips_are_told_from_rest_as_far_as_three_can_tell(made: Make) -> None:
    described = session("grip")
    vhdr = ["*_ieeg.vhdr"]
    model = calibrate(
        described.pipeline, described.decoder, [made("ecog_lfp_gripforce", vhdr, "ieeg")]
    )
    assert (model.metrics["n"], model.metrics["folds"]) == (7, 3)
    assert model.metrics["accuracy"] >= 6 / 7
    low, _ = model.metrics["ci95"]
    assert low < 0.66  # seven trials promise no more
