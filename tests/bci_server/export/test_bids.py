"""BIDS: read back, and judged by the official validator."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bci_server.export.report import CannotHold, ExportError
from bci_server.export.run import export
from devices.device import DeviceError
from devices.recording.formats import open_recording
from tests.bci_server.export.sessions import (
    GAP_AT,
    SECRETS,
    markers_of,
    times_of,
    values_of,
    write_session,
)

pytest.importorskip("mne_bids")
pytest.importorskip("pybv")


def validate(root):
    """Return what the official validator says is wrong."""
    beside = Path(sys.executable).with_name("bids-validator-deno")
    program = str(beside) if beside.is_file() else shutil.which("bids-validator-deno")
    if program is None:
        pytest.skip("bids-validator-deno is not installed")
    done = subprocess.run(
        [program, str(root), "--format", "json"], capture_output=True, text=True, timeout=120
    )
    found = json.loads(done.stdout)["issues"]["issues"]
    return [issue for issue in found if issue["severity"] == "error"]


def read_tsv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_a_session_is_valid_and_comes_back(session, tmp_path):
    (report,) = export([session], "bids", tmp_path / "out")
    assert validate(tmp_path / "out") == []
    folder = tmp_path / "out" / "sub-P01" / "ses-02" / "eeg"
    stem = "sub-P01_ses-02_task-reach_run-01"
    file = open_recording(folder / f"{stem}_eeg.vhdr")
    data = file.tracks[0].read(0, file.tracks[0].n_samples)
    file.close()
    data = np.concatenate([data[:GAP_AT], data[GAP_AT + 125 :]])
    assert np.array_equal(data, values_of())
    assert "samples, as float32 in µV" in report.exact
    rows = read_tsv(folder / f"{stem}_events.tsv")
    marks = [row for row in rows if row["trial_type"] != "BAD_ACQ_SKIP"]
    assert [row["trial_type"] for row in marks] == [label for _, label in markers_of()]
    for row, (time_s, _) in zip(marks, markers_of(), strict=True):
        assert float(row["onset"]) == pytest.approx(time_s - times_of()[0], abs=1e-6)
    sidecar = json.loads((folder / f"{stem}_eeg.json").read_text())
    assert sidecar["EEGReference"] == "A1"
    assert sidecar["Manufacturer"] == "Acme"
    assert sidecar["TaskName"] == "reach"


def test_integers_go_into_edf(tmp_path):
    session = write_session(tmp_path / "sub-P02_task-rest_eeg.xdf", "int16")
    (report,) = export([session], "bids", tmp_path / "out", participant="P02")
    assert validate(tmp_path / "out") == []
    (edf,) = (tmp_path / "out").rglob("*.edf")
    edfio = pytest.importorskip("edfio")
    signal = edfio.read_edf(edf).signals[0].data
    kept = np.concatenate([signal[:GAP_AT], signal[GAP_AT + 125 :]])
    assert np.array_equal(kept[:1000], values_of(dtype="int16")[:, 0])
    assert "samples, as integers of 16 bits" in report.exact


def test_several_recordings_become_one_dataset(eegmmi, switch, tmp_path):
    files = [eegmmi, eegmmi.with_name("S001R08.edf"), switch]
    reports = export(files, "bids", tmp_path / "out", participant="S001")
    assert len(reports) == 3
    assert validate(tmp_path / "out") == []
    runs = sorted(p.name for p in (tmp_path / "out").rglob("*_eeg.json"))
    assert [name.split("_run-")[1][:2] for name in runs] == ["01", "02", "03"]
    (first,) = (tmp_path / "out").rglob("*run-01_eeg.edf")
    new, old = open_recording(first), open_recording(eegmmi)
    n = old.tracks[0].n_samples
    assert np.array_equal(new.tracks[0].stored(0, n)[0], old.tracks[0].stored(0, n)[0])
    (markers,) = [m for name, m in new.markers.items() if name.endswith("events.tsv")]
    assert markers == old.markers["annotations"]
    new.close()
    old.close()


def test_anonymous_datasets_hold_no_secret(session, tmp_path):
    export([session], "bids", tmp_path / "out", anonymous=True)
    assert validate(tmp_path / "out") == []
    for path in (tmp_path / "out").rglob("*"):
        for secret in SECRETS:
            assert secret not in path.name
            assert path.is_dir() or secret.encode() not in path.read_bytes(), path


def test_intracranial_recordings(shared_data, tmp_path):
    (path,) = (shared_data / "ecog_lfp_gripforce" / "bids").rglob("*_ieeg.vhdr")
    export([path], "bids", tmp_path / "out")
    assert validate(tmp_path / "out") == []
    assert list((tmp_path / "out" / "sub-testsub").rglob("ieeg/*_ieeg.vhdr"))


def test_spike_counts_are_refused(stevenson, tmp_path):
    with pytest.raises(CannotHold, match="neither EEG nor intracranial EEG"):
        export([stevenson], "bids", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recording_is_added_to_a_dataset_that_is_there(session, tmp_path):
    out = tmp_path / "out"
    export([session], "bids", out)
    (out / "README").write_text("Ours, and it stays so: what was recorded, how and by whom.")
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    other = write_session(tmp_path / "sub-P02_task-rest_eeg.xdf", "int16")
    export([other, session], "bids", out, participant="P02")
    export([session], "bids", out)
    assert validate(out) == []
    changed = {p.name for p, content in before.items() if p.read_bytes() != content}
    assert changed == {"participants.tsv", "sub-P01_ses-02_scans.tsv"}
    assert [r["participant_id"] for r in read_tsv(out / "participants.tsv")] == [
        "sub-P01",
        "sub-P02",
    ]
    runs = {p.name for p in (out / "sub-P01").rglob("*_eeg.vhdr")}
    assert {name.split("_run-")[1][:2] for name in runs} == {"01", "02"}
    assert not any(p.is_symlink() for p in out.rglob("*"))
    assert {p.name for p in tmp_path.iterdir()} == {"out", session.name, other.name}


def test_a_failed_addition_changes_nothing(session, tmp_path):
    out = tmp_path / "out"
    export([session], "bids", out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    broken = tmp_path / "sub-P03_eeg.xdf"
    broken.write_bytes(session.read_bytes()[:200])
    with pytest.raises((ExportError, DeviceError)):
        export([session, broken], "bids", out)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
