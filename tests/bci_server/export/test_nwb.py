"""NWB: read back with pynwb, judged by nwbinspector."""

from datetime import UTC, datetime

import numpy as np
import pytest

from bci_server.export.run import export
from devices.recording.formats import open_recording
from tests.bci_server.export.sessions import (
    N_COMMANDS,
    SECRETS,
    STARTED,
    markers_of,
    sent,
    times_of,
    values_of,
    write_session,
)


@pytest.fixture
def pynwb():
    """The reader; it takes a second to import, which who only collects this need not wait for."""
    return pytest.importorskip("pynwb")


@pytest.fixture
def exported(pynwb, tmp_path):
    def run(path, **options):
        export([path], "nwb", tmp_path / "out.nwb", **options)
        io = pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r")
        opened.append(io)
        return io.read()

    opened = []
    yield run
    for io in opened:
        io.close()


def problems(path):
    inspector = pytest.importorskip("nwbinspector")
    importance = inspector.Importance.BEST_PRACTICE_VIOLATION
    return list(inspector.inspect_nwbfile(path, importance_threshold=importance))


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_samples_and_times_are_as_they_were(tmp_path, exported, dtype):
    nwb = exported(write_session(tmp_path / "a.xdf", dtype))
    cap = nwb.acquisition["cap"]
    assert cap.data.dtype == dtype
    assert np.array_equal(cap.data[:], values_of(dtype=dtype))
    assert cap.conversion == 1e-6
    assert np.abs(cap.timestamps[:] - (times_of() - times_of()[0])).max() < 1e-9
    names = [nwb.electrodes["channel_name"][i] for i in cap.electrodes.data[:]]
    assert names == ["C3", "Cz", "C4"]
    assert set(nwb.electrodes["reference"].data[:]) == {"A1"}
    hand = nwb.processing["behavior"]["Position"]["hand"]
    assert np.array_equal(hand.data[:], np.linspace(0, 1, 200).reshape(100, 2))
    assert (hand.unit, hand.rate) == ("meters", 50.0)


def test_markers_and_outputs_are_there(session, exported):
    nwb = exported(session)
    cues = nwb.get_events_table("cues").to_dataframe()
    assert cues["annotation"].tolist() == [label for _, label in markers_of()]
    expected = np.array([time_s for time_s, _ in markers_of()]) - times_of()[0]
    assert np.abs(cues["timestamp"] - expected).max() < 1e-9
    decoding = nwb.processing["decoding"]
    assert decoding["predictions"].data[:2].tolist() == [[0.25, 0.75], [0.1, 0.9]]
    assert decoding["commands"].data[:].tolist() == [[0.5, -0.25]] * N_COMMANDS
    assert decoding["sent_commands"].data[:].tolist() == [[0.0, 0.0]] * N_COMMANDS
    received_s = sent()[1].ledger.received_s - times_of()[0]
    assert decoding["ledger"].data[0, 1] == pytest.approx(received_s, abs=1e-9)
    assert nwb.get_events_table("tokens").to_dataframe()["annotation"].tolist() == ["ja"]
    assert nwb.get_events_table("decisions").to_dataframe()["annotation"].tolist() == ["right"]


def test_who_and_when_are_there_unless_anonymous(session, exported, tmp_path):
    nwb = exported(session)
    assert nwb.session_start_time == STARTED
    assert (nwb.subject.subject_id, nwb.subject.species) == ("P01", "Homo sapiens")
    assert nwb.devices["Cap3"].serial_number == "serial-1234"
    assert "slept badly" in nwb.data_collection
    assert problems(tmp_path / "out.nwb") == []


@pytest.mark.usefixtures("pynwb")
def test_anonymous_files_hold_no_secret(session, tmp_path):
    (report,) = export([session], "nwb", tmp_path / "out.nwb", anonymous=True)
    content = (tmp_path / "out.nwb").read_bytes()
    removed = "\n".join(report.removed)
    for secret in SECRETS[:-1]:
        assert secret.encode() not in content
    for what in ("serial-1234", "Jane Doe", "consent-88", "2026-05-04"):
        assert what in removed
    assert b"2026-" not in content
    assert f"{datetime.now(UTC):%Y-%m}".encode() not in content
    assert problems(tmp_path / "out.nwb") == []


def test_spike_counts_and_behavior_of_a_real_recording(stevenson, exported, tmp_path):
    nwb = exported(stevenson, species="Macaca mulatta")
    file = open_recording(stevenson)
    for name, data in (
        ("spikes", nwb.processing["ecephys"]["spikes"]),
        ("position", nwb.processing["behavior"]["Position"]["position"]),
        ("velocity", nwb.processing["behavior"]["BehavioralTimeSeries"]["velocity"]),
    ):
        (track,) = [track for track in file.tracks if track.name == name]
        stored, _ = track.stored(0, track.n_samples)
        assert data.data.dtype == stored.dtype
        assert np.array_equal(data.data[:], stored)
    units = nwb.processing["ecephys"]["spikes_columns"]["unit_name"].data[:]
    assert list(units) == list(file.tracks[0].signal.channels)
    reaches = nwb.get_events_table("reaches").to_dataframe()
    start_s = float(file.tracks[0].stamps(0, 1)[0])
    assert np.allclose(
        reaches["timestamp"], [m.time_s - start_s for m in file.markers["reaches"]], atol=1e-9
    )
    file.close()
    assert problems(tmp_path / "out.nwb") == []


def test_real_eeg(pynwb, switch, eegmmi, tmp_path):
    export([switch, eegmmi], "nwb", tmp_path / "out", species="Homo sapiens", participant="S1")
    for path in (tmp_path / "out").iterdir():
        assert problems(path) == []
    with pynwb.NWBHDF5IO(tmp_path / "out" / "S001R04.nwb", "r") as io:
        series = io.read().acquisition["eeg"]
        file = open_recording(eegmmi)
        stored, _ = file.tracks[0].stored(0, file.tracks[0].n_samples)
        assert np.array_equal(series.data[:], stored)
        assert (series.rate, series.conversion) == (160.0, 1.0)
        file.close()
