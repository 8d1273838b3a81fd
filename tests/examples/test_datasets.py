"""What the scripts make of the sets of spikes and field potentials, beside the files themselves."""

from __future__ import annotations

import csv
import gzip
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from devices.recording.formats import open_recording
from devices.recording.track import RecordingFile, Track

Script = Callable[..., int]


@contextmanager
def opened(path: Path) -> Iterator[RecordingFile]:
    file = open_recording(path)
    try:
        yield file
    finally:
        file.close()


def track(file: RecordingFile, name: str) -> Track:
    return next(t for t in file.tracks if t.name == name)


def everything(file: RecordingFile, name: str) -> NDArray[np.float32]:
    return track(file, name).read(0, track(file, name).n_samples)


@pytest.fixture
def grip(shared_data: Path) -> Path:
    folder = shared_data / "ecog_lfp_gripforce" / "bids" / "sub-testsub" / "ses-EphysMedOff"
    return folder / "ieeg" / "sub-testsub_ses-EphysMedOff_task-gripforce_run-0_ieeg.vhdr"


@pytest.fixture
def track_run(shared_data: Path) -> tuple[Path, Path]:
    folder = shared_data / "hippocampus_nelpy" / "linear-track"
    return folder / "spikes.mat", folder / "trajectory.videoPositionTracking.gz"


@pytest.mark.parametrize(
    ("source", "options", "letters", "n_units"),
    [
        ("chewie_tr.npz", [], "", 71),
        ("mihi_demo.mat", [], "tr", 174),
        ("mihi_demo.mat", ["--test"], "te", 187),
    ],
)
def test_reaches_of_two_macaques(
    tmp_path: Path,
    shared_data: Path,
    dataset_script: Script,
    source: str,
    options: list[str],
    letters: str,
    n_units: int,
) -> None:
    from scipy.io import loadmat

    path = shared_data / "m1_dad" / source
    held = loadmat(path) if path.suffix == ".mat" else np.load(path)
    assert dataset_script("m1_dad", path, tmp_path / "out.xdf", *options) == 0
    with opened(tmp_path / "out.xdf") as file:
        spikes = everything(file, "spikes")
        assert spikes.shape[1] == n_units
        assert np.abs(spikes - held[f"Y{letters}"]).max() < 1e-6
        assert np.allclose(everything(file, "velocity"), held[f"X{letters}"], rtol=1e-6)
        targets = held[f"T{letters}"].ravel()
        cues = [m.label for m in file.markers["targets"]]
        assert cues == [str(t) for t in targets[np.append(True, np.diff(targets.astype(int)) != 0)]]
        assert len(track(file, "spikes").breaks) == len(cues) - 1


def test_what_came_before_the_reaches(
    tmp_path: Path, shared_data: Path, dataset_script: Script
) -> None:
    path = shared_data / "reach_shenoy" / "shenoy_reach_open.npz"
    assert dataset_script("reach_shenoy", "--plan", path, tmp_path / "a.xdf", "--to", "0.5") == 0
    assert dataset_script("reach_shenoy", "--plan", path, tmp_path / "b.xdf", "--from", "0.5") == 0
    counts: Counter[tuple[str, bytes]] = Counter()
    for name in ("a.xdf", "b.xdf"):
        with opened(tmp_path / name) as file:
            cues, plan = file.markers["targets"], track(file, "plan")
            assert Counter(m.label for m in cues) == dict.fromkeys("12345678", 40)
            assert [m.time_s for m in cues] == pytest.approx(plan.times(0, 320), abs=1e-3)
            rows = plan.read(0, 320)
            counts.update((m.label, r.tobytes()) for m, r in zip(cues, rows, strict=True))
    with np.load(path) as arrays:
        rows = arrays["plan_counts_300ms"].astype(np.float32)
        labels = arrays["plan_direction"]
    assert counts == Counter((str(d), r.tobytes()) for d, r in zip(labels, rows, strict=True))


def test_place_cells_and_where_the_rat_is(
    tmp_path: Path, track_run: tuple[Path, Path], dataset_script: Script
) -> None:
    assert dataset_script("hippocampus_nelpy", *track_run, tmp_path / "out.xdf") == 0
    content = gzip.decompress(track_run[1].read_bytes()).partition(b"<End settings>\n")[2]
    rows = np.frombuffer(content, "<u4,<u2,<u2,<u2,<u2")
    seconds = rows["f0"] / 30000
    with opened(tmp_path / "out.xdf") as file:
        spikes, place = everything(file, "spikes"), everything(file, "position")
        running = everything(file, "running")
        times = track(file, "spikes").times(0, len(spikes))
    assert spikes.shape[1] == 31
    assert 28_000 < spikes.sum() < 29_000
    at = np.searchsorted(seconds, times[100:20000:997] - 0.001)
    tracked = np.stack([rows["f1"][at], rows["f2"][at]], axis=1)
    assert np.nanmedian(np.abs(place[100:20000:997] - tracked)) < 3.0
    still = np.isnan(running[:, 0])
    assert 0.5 < still.mean() < 0.95
    assert np.array_equal(running[~still], place[~still])


def test_grips_begin_and_end_with_the_force(
    tmp_path: Path, grip: Path, dataset_script: Script
) -> None:
    assert dataset_script("ecog_lfp_gripforce", grip, tmp_path / "out.xdf") == 0
    raw = np.fromfile(grip.with_suffix(".eeg"), "<f4").reshape(-1, 10) * 1e-7
    with opened(tmp_path / "out.xdf") as file:
        assert track(file, "ieeg").signal.unit == "uV"
        assert track(file, "ieeg").signal.channels[::4] == (
            "LFP_RIGHT_0", "ECOG_RIGHT_1", "ECOG_RIGHT_5",
        )  # fmt: skip
        assert np.allclose(everything(file, "ieeg"), raw[:, :9], rtol=1e-5, atol=1e-4)
        assert np.allclose(everything(file, "force")[:, 0], raw[:, 9], rtol=1e-5)
        cues = file.markers["grips"]
    assert [m.label for m in cues] == ["rest", *["grip", "rest"] * 3]
    edges = [round(m.time_s * 1000) for m in cues] + [len(raw)]
    means = [raw[a:b, 9].mean() for a, b in itertools.pairwise(edges)]
    assert min(means[1::2]) > max(means[::2])


def test_tables_of_a_millisecond(tmp_path: Path, shared_data: Path, dataset_script: Script) -> None:
    path = shared_data / "mc_maze_trials" / "trial_748_data.csv.gz"
    assert dataset_script("mc_maze_trials", path, path, tmp_path / "out.xdf") == 0
    with gzip.open(path, "rt") as text:
        names, *rows = csv.reader(text)
    values = np.array(rows, float)
    units = [i for i, name in enumerate(names) if name.startswith("unit_")]
    with opened(tmp_path / "out.xdf") as file:
        spikes = track(file, "spikes")
        assert (spikes.signal.rate_hz, spikes.signal.channels[0]) == (1000.0, "unit_1011")
        assert spikes.breaks.tolist() == [len(values)]
        assert np.array_equal(everything(file, "spikes"), np.tile(values[:, units], (2, 1)))
        velocity = values[:, [names.index("hand_vel_x"), names.index("hand_vel_y")]]
        assert np.allclose(everything(file, "velocity")[: len(values)], velocity, rtol=1e-6)
        assert len(file.markers["trials"]) == 2
    other = tmp_path / "other.csv"
    other.write_text("timestamp,unit_9\n0.0,1\n0.001,0\n")
    assert dataset_script("mc_maze_trials", path, other, tmp_path / "new.xdf") == 1


def test_field_potentials(tmp_path: Path, shared_data: Path, dataset_script: Script) -> None:
    path = shared_data / "lfp_neurodsp" / "sample_data_1.npy"
    assert dataset_script("lfp_neurodsp", path, tmp_path / "out.xdf", "--to", "0.5") == 0
    with opened(tmp_path / "out.xdf") as file:
        assert np.allclose(everything(file, "lfp")[:, 0], np.load(path)[:5000], rtol=1e-6)


@pytest.mark.parametrize(
    ("script", "n_sources", "says"),
    [
        ("m1_dad", 1, "has no array 'Y'; it has a"),
        ("reach_shenoy", 1, "has no array 'counts_20ms'; it has a"),
        ("lfp_neurodsp", 1, "no row of numbers"),
        ("mc_maze_trials", 1, "no table of this set"),
        ("hippocampus_nelpy", 2, "has no cell array 'spikes'"),
        ("ecog_lfp_gripforce", 1, "_channels.tsv"),
    ],
)
def test_files_of_another_set_are_refused(
    tmp_path: Path,
    dataset_script: Script,
    capsys: pytest.CaptureFixture[str],
    script: str,
    n_sources: int,
    says: str,
) -> None:
    from scipy.io import savemat

    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    np.save(tmp_path / "a.npy", np.zeros((2, 2)))
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    savemat(tmp_path / "a.mat", {"a": np.zeros(3)})
    endings = {"lfp_neurodsp": "npy", "mc_maze_trials": "csv", "hippocampus_nelpy": "mat"}
    source = tmp_path / f"a.{endings.get(script, 'npz')}"
    assert dataset_script(script, *[source] * n_sources, tmp_path / "out.xdf") == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out.xdf").exists()
