from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from devices.recording.formats import open_recording


def test_a_speller_file_keeps_samples_names_and_flashes(
    tmp_path: Path, shared_data: Path, dataset_script: Callable[..., int]
) -> None:
    source = shared_data / "bci2000" / "eeg3_1.dat"
    assert dataset_script("bci2000", source, tmp_path / "out.xdf") == 0
    file = open_recording(tmp_path / "out.xdf")
    (track,) = file.tracks
    assert track.signal.channels == ("Fz", "Cz", "P3", "Pz", "P4", "PO7", "Oz", "PO8")
    assert (track.signal.rate_hz, track.signal.unit) == (256.0, "uV")
    raw = np.frombuffer(source.read_bytes(), "<i2", 8, 27803)
    assert track.read(0, 1)[0] == pytest.approx(raw * 0.019, rel=1e-6)
    labels = Counter(m.label for m in file.markers["cues"])
    assert (labels.pop("other"), labels.pop("target")) == (600, 120)
    assert labels == {f"flash {code}": 60 for code in range(1, 13)}
    file.close()


def test_parts_hold_every_sample_and_cue_once(
    tmp_path: Path, shared_data: Path, dataset_script: Callable[..., int]
) -> None:
    source = shared_data / "openbmi" / "cnt_p300_off.mat"
    assert dataset_script("openbmi", source, tmp_path / "a.xdf", "--to", "0.7") == 0
    assert dataset_script("openbmi", source, tmp_path / "b.xdf", "--from", "0.7") == 0
    files = [open_recording(tmp_path / name) for name in ("a.xdf", "b.xdf")]
    assert sum(file.tracks[0].n_samples for file in files) == 90236
    labels = Counter(m.label for file in files for m in file.markers["cues"])
    assert labels == {"nontarget": 1650, "target": 330}
    first = files[0].markers["cues"][0].time_s - files[0].tracks[0].times(0, 1)[0]
    assert first == pytest.approx(160.125, abs=1e-6)
    for file in files:
        file.close()


def test_what_is_of_another_set_is_refused_and_nothing_is_overwritten(
    tmp_path: Path, dataset_script: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.dat"
    other.write_bytes(b"nothing of the kind\n")
    assert dataset_script("bci2000", other, tmp_path / "out.xdf") == 1
    assert "no BCI2000 file: its first line lacks HeaderLen" in capsys.readouterr().err
    other.write_bytes(b"HeaderLen= 70 SourceCh= 1 StatevectorLen= 1 \r\nRunning 1 1 0 0\r\n")
    assert dataset_script("bci2000", other, tmp_path / "out.xdf") == 1
    assert not (tmp_path / "out.xdf").exists()
    capsys.readouterr()
    with pytest.raises(SystemExit):
        dataset_script("bci2000", other, tmp_path / "out.xdf", "--from", "0.9", "--to", "0.1")


def test_cut_out_trials_keep_apart(tmp_path: Path, dataset_script: Callable[..., int]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 2, 300)).astype(np.float32)
    classes = np.array(["left", "right", "left", "left", "right"])
    np.savez(tmp_path / "in.npz", X=x, y=classes, fs=100, ch_names=np.array(["C3", "C4"]))
    out = tmp_path / "out.xdf"
    assert dataset_script("bci_competition", tmp_path / "in.npz", out, "--from", "0.2") == 0
    file = open_recording(out)
    (track,) = file.tracks
    assert track.signal.channels == ("C3", "C4")
    assert track.breaks.tolist() == [300, 600, 900]
    assert np.array_equal(track.read(0, track.n_samples), x[1:].transpose(0, 2, 1).reshape(-1, 2))
    begins = [float(track.times(k * 300, k * 300 + 1)[0]) for k in range(4)]
    cues = file.markers["cues"]
    assert [m.label for m in cues] == classes[1:].tolist()
    assert [m.time_s for m in cues] == pytest.approx(begins, abs=1e-4)
    file.close()


def test_an_archive_of_another_layout_is_refused(
    tmp_path: Path, dataset_script: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "in.npz", X=np.zeros((1, 1, 1)))
    assert dataset_script("bci_competition", tmp_path / "in.npz", tmp_path / "out.xdf") == 1
    assert "has no array 'y'; it has X" in capsys.readouterr().err
