from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

import mne
import numpy as np
import pytest

from devices.device import DeviceNotFound, DeviceRefused
from devices.recording.formats import open_recording


@pytest.mark.parametrize("run", ["S001R04.edf", "S001R06.edf"])
def test_edf_gives_the_samples_of_mne_in_microvolts(shared_data: Path, run: str) -> None:
    path = shared_data / "eegmmi_s001" / run
    raw = mne.io.read_raw_edf(path, preload=True, verbose="ERROR")
    file = open_recording(path)
    track = file.default
    assert track is not None
    assert track.signal.rate_hz == 160.0
    assert track.signal.unit == "uV"
    assert track.signal.channels == tuple(name.rstrip(".") for name in raw.ch_names)
    expected = (raw.get_data() * 1e6).astype(np.float32).T
    assert np.array_equal(track.read(0, track.n_samples), expected)
    assert np.array_equal(track.read(777, 1234), expected[777:1234])
    file.close()
    file.close()


def test_edf_markers_stand_exactly_on_their_samples(shared_data: Path) -> None:
    file = open_recording(shared_data / "eegmmi_s001" / "S001R06.edf")
    track = file.default
    assert track is not None
    markers = file.markers["annotations"]
    assert len(markers) == 30
    assert [marker.label for marker in markers[:4]] == ["T0", "T2", "T0", "T1"]
    times = track.times(0, track.n_samples)
    assert all(marker.time_s in times for marker in markers)
    assert markers[1].time_s == times[round(4.2 * 160)]
    file.close()


def test_mixed_kinds_are_separate_tracks_and_the_rest_is_named(shared_data: Path) -> None:
    file = open_recording(shared_data / "formats" / "fif" / "sample_ecog_ieeg.fif")
    assert file.default is not None
    assert [(track.name, track.signal.n_channels) for track in file.tracks] == [
        ("ecog", 320),
        ("seeg", 74),
    ]
    (note,) = file.left_out(file.default)
    assert (
        note
        == "left out 74 channels (FP1, FP2, FP3, FP4, FP5 and 69 more); stream = 'seeg' reads them"
    )
    file.close()


def test_channels_of_other_units_are_not_taken_for_volts(shared_data: Path) -> None:
    file = open_recording(shared_data / "formats" / "edf" / "edf+C.edf")
    units = {track.signal.channels: track.signal.unit for track in file.tracks}
    assert units == {("ch1", "ch2"): "uV", ("ch4",): "1", ("ch5",): "C", ("ch3",): "pA"}
    file.close()


def test_triggers_of_a_stimulus_channel_are_those_of_find_events(shared_data: Path) -> None:
    path = shared_data / "formats" / "bdf" / "biosemi_16ch_256Hz.bdf"
    raw = mne.io.read_raw_bdf(path, verbose="ERROR")
    events = mne.find_events(raw, shortest_event=1, verbose="ERROR")
    file = open_recording(path)
    assert [(marker.time_s * 256, marker.label) for marker in file.markers["Status"]] == [
        (sample, str(value)) for sample, _, value in events
    ]
    file.close()


def test_events_beside_a_fif_are_found(shared_data: Path) -> None:
    folder = shared_data / "ssvep_exo" / "subject03"
    file = open_recording(folder / "subject03_2012.07.11-15.25.23_raw.fif")
    events = mne.read_events(folder / "subject03_2012.07.11-15.25.23-eve.fif")
    name, markers = next(iter(file.markers.items()))
    assert name == "subject03_2012.07.11-15.25.23-eve.fif"
    assert [(m.time_s * 256, m.label) for m in markers] == [(k, str(v)) for k, _, v in events]
    file.close()


def test_a_bids_sidecar_comes_before_the_annotations(tmp_path: Path, shared_data: Path) -> None:
    run = (shared_data / "eegmmi_s001" / "S001R06.edf").read_bytes()
    path = tmp_path / "sub-01_task-fists_eeg.edf"
    path.write_bytes(run)
    sidecar = tmp_path / "sub-01_task-fists_events.tsv"
    sidecar.write_text("onset\tduration\ttrial_type\n8.3\t1\tfeet\n4.2\t1\tfists\nn/a\t1\trest\n")
    file = open_recording(path)
    assert list(file.markers) == [sidecar.name, "annotations"]
    first, second = file.markers[sidecar.name]
    assert (first.label, second.label) == ("fists", "feet")
    assert (first.time_s, second.time_s) == (672 / 160, 1328 / 160)
    file.close()


def test_annotations_of_fif_count_from_the_first_sample_kept(tmp_path: Path) -> None:
    info = mne.create_info(["C3", "C4"], 250.0, "eeg")
    values = np.random.default_rng(1).normal(0, 1e-5, (2, 2500))
    raw = mne.io.RawArray(values, info, first_samp=1000, verbose="ERROR")
    raw.set_meas_date(1_000_000_000)
    raw.set_annotations(
        mne.Annotations([4.0 + 2.0, 4.0 + 5.0], 0, ["cue", "BAD boundary"], raw.info["meas_date"])
    )
    path = tmp_path / "cut_raw.fif"
    raw.save(path, verbose="ERROR")
    file = open_recording(path)
    track = file.default
    assert track is not None
    assert [(m.time_s, m.label) for m in file.markers["annotations"]] == [(2.0, "cue")]
    assert track.breaks.tolist() == [1250]
    assert track.times(0, 1)[0] == 0.0
    file.close()


def _edf_plus_d(path: Path) -> None:
    """Write three records of 1 s, 4 samples each; the third comes 10 s late."""
    labels = ["C3", "EDF Annotations"]
    n_samples = [4, 15]
    fields = [
        ("0", 8), ("X X X X", 80), ("Startdate X X X X", 80), ("01.01.24", 8), ("00.00.00", 8),
        (str(256 * 3), 8), ("EDF+D", 44), ("3", 8), ("1", 8), ("2", 4),
    ]  # fmt: skip
    per_channel = [
        (labels, 16), ([""] * 2, 80), (["uV", ""], 8), (["-100", "-1"], 8), (["100", "1"], 8),
        (["-32768"] * 2, 8), (["32767"] * 2, 8), ([""] * 2, 80), (map(str, n_samples), 8),
        ([""] * 2, 32),
    ]  # fmt: skip
    text = "".join(value.ljust(width) for value, width in fields)
    text += "".join(value.ljust(width) for values, width in per_channel for value in values)
    data = text.encode()
    for record, onset in enumerate((0, 1, 12)):
        data += np.arange(4 * record, 4 * record + 4, dtype="<i2").tobytes()
        lists = f"+{onset}\x14\x14\0"
        lists += f"+{onset + 0.5}\x14cue{record}\x14\0"
        data += lists.encode().ljust(30, b"\0")
    path.write_bytes(data)


def test_the_holes_of_edf_plus_d_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "holes.edf"
    _edf_plus_d(path)
    file = open_recording(path)
    track = file.default
    assert track is not None
    assert track.n_samples == 12
    assert track.breaks.tolist() == [8]
    assert track.times(6, 10).tolist() == [1.5, 1.75, 12.0, 12.25]
    assert [(m.time_s, m.label) for m in file.markers["annotations"]] == [
        (0.5, "cue0"),
        (1.5, "cue1"),
        (12.5, "cue2"),
    ]
    file.close()


def test_a_cut_edf_is_refused_with_both_counts(tmp_path: Path, shared_data: Path) -> None:
    whole = (shared_data / "eegmmi_s001" / "S001R06.edf").read_bytes()
    path = tmp_path / "cut.edf"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DeviceRefused, match="promises 125 records of 1 s, the file holds 62"):
        open_recording(path)
    path.write_bytes(whole[:1000])
    with pytest.raises(DeviceRefused, match="ends at byte 1000, within the header"):
        open_recording(path)
    path.write_bytes(whole[:100])
    with pytest.raises(DeviceRefused, match="ends at byte 100, within its header"):
        open_recording(path)


@pytest.mark.parametrize("name", ["a.edf", "a.bdf", "a.fif", "a.set", "a.vhdr", "a.gdf"])
def test_what_is_not_what_its_ending_promises_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    with pytest.raises(DeviceRefused, match="is empty"):
        open_recording(path)
    path.write_bytes(b"something else altogether " * 100)
    with pytest.raises(DeviceRefused, match=name):
        open_recording(path)


def test_a_gdf_that_claims_what_cannot_be_is_refused(tmp_path: Path, shared_data: Path) -> None:
    whole = shared_data / "ssvep_exo" / "subject02" / "subject02_2012.07.19-17.41.14.gdf"
    data = bytearray(whole.read_bytes())
    data[252:256] = b"\xff\xff\xff\xff"
    path = tmp_path / "a.gdf"
    path.write_bytes(data)
    with pytest.raises(DeviceRefused, match=r"claims \d+ channels in 3808084 bytes"):
        open_recording(path)


def test_what_mne_raises_is_said_without_a_trace(tmp_path: Path, shared_data: Path) -> None:
    text = (shared_data / "formats" / "brainvision" / "test.vhdr").read_text()
    path = tmp_path / "test.vhdr"
    path.write_text(text.replace("[Binary Infos]", "[Nothing]"))
    (tmp_path / "test.eeg").write_bytes(b"\0" * 640)
    with pytest.raises(DeviceRefused, match=r"as \.vhdr file; MNE says: NoSectionError"):
        open_recording(path)


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFound, match="there is no file"):
        open_recording(tmp_path / "nothing.edf")
    (tmp_path / "a.jpeg").write_bytes(b"x")
    with pytest.raises(DeviceRefused, match=r"ending \.jpeg.*\.edf"):
        open_recording(tmp_path / "a.jpeg")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("start\tlabel\n1\ta\n", "it needs onset and one of trial_type"),
        ("onset\ttrial_type\nsoon\ta\n", "line 2: the onset 'soon' is no number"),
        ("onset\ttrial_type\ninf\ta\n", "line 2: the onset 'inf' is no number"),
    ],
)
def test_a_damaged_sidecar_is_refused(
    tmp_path: Path, shared_data: Path, text: str, reason: str
) -> None:
    path = tmp_path / "x_eeg.edf"
    path.write_bytes((shared_data / "eegmmi_s001" / "S001R01.edf").read_bytes())
    (tmp_path / "x_events.tsv").write_text(text)
    with pytest.raises(DeviceRefused, match=reason):
        open_recording(path)


def test_channels_of_a_lower_rate_are_not_resampled(tmp_path: Path) -> None:
    path = tmp_path / "mixed.edf"
    labels, n_samples = ["C3", "C4", "Temp"], [8, 8, 1]
    fields = [("0", 8), ("", 160), ("01.01.24", 8), ("00.00.00", 8), (str(256 * 4), 8), ("", 44)]
    fields += [("2", 8), ("1", 8), ("3", 4)]
    columns = [
        (labels, 16), ([""] * 3, 80), (["uV"] * 3, 8), (["-100"] * 3, 8), (["100"] * 3, 8),
        (["-32768"] * 3, 8), (["32767"] * 3, 8), ([""] * 3, 80), (map(str, n_samples), 8),
        ([""] * 3, 32),
    ]  # fmt: skip
    text = "".join(value.ljust(width) for value, width in fields)
    text += "".join(value.ljust(width) for values, width in columns for value in values)
    path.write_bytes(text.encode() + np.arange(34, dtype="<i2").tobytes())
    file = open_recording(path)
    assert file.default is not None
    assert file.default.signal.channels == ("C3", "C4")
    assert math.isclose(file.default.signal.rate_hz, 8)
    assert "Temp" in file.notes[0]
    file.close()


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "long.edf"
    n_channels, n_records = 64, 600
    fields = [("0", 8), ("", 160), ("01.01.24", 8), ("00.00.00", 8)]
    fields += [(str(256 * (n_channels + 1)), 8), ("", 44), (str(n_records), 8), ("1", 8)]
    fields += [(str(n_channels), 4)]
    labels = [f"E{i}" for i in range(n_channels)]
    columns = [
        (labels, 16), ([""] * 64, 80), (["uV"] * 64, 8), (["-100"] * 64, 8), (["100"] * 64, 8),
        (["-32768"] * 64, 8), (["32767"] * 64, 8), ([""] * 64, 80), (["1000"] * 64, 8),
        ([""] * 64, 32),
    ]  # fmt: skip
    text = "".join(value.ljust(width) for value, width in fields)
    text += "".join(value.ljust(width) for values, width in columns for value in values)
    record = np.zeros((n_channels, 1000), "<i2")
    with path.open("wb") as out:
        out.write(text.encode())
        for second in range(n_records):
            record[0] = second
            out.write(record.tobytes())
    size = path.stat().st_size
    assert size > 75e6
    tracemalloc.start()
    file = open_recording(path)
    track = file.default
    assert track is not None
    scale = 200 / 65535
    for second in range(0, n_records, 7):
        values = track.read(1000 * second, 1000 * second + 2000)
        assert values[0, 0] == pytest.approx((second + 32768) * scale - 100, abs=1e-4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    file.close()
    assert peak < size / 4
