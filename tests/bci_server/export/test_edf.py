"""EDF+ and BDF+: integers stay what they are, everything else is rounded and said to be."""

import numpy as np
import pytest

from bci_server.export.report import CannotHold
from bci_server.export.run import export
from devices.recording.formats import open_recording
from devices.recording.xdf_writer import XdfStream, XdfWriter
from tests.bci_server.export.sessions import (
    CHANNELS,
    GAP_AT,
    RATE_HZ,
    SECRETS,
    markers_of,
    times_of,
    values_of,
    write_session,
)

edfio = pytest.importorskip("edfio")

READ = {"edf": edfio.read_edf, "bdf": edfio.read_bdf}
HOLE = 125


def exported(path, format_, tmp_path, **options):
    out = tmp_path / f"out.{format_}"
    (report,) = export([path], format_, out, **options)
    return READ[format_](out), report


def kept(signal, n=None):
    """What lies outside of the hole of the session."""
    values = signal.data
    return np.concatenate([values[:GAP_AT], values[GAP_AT + HOLE :]])[: n or 1000]


@pytest.mark.parametrize("format_", ["edf", "bdf"])
def test_integers_stay_what_they_are(tmp_path, format_):
    edf, report = exported(write_session(tmp_path / "a.xdf", "int16"), format_, tmp_path)
    assert edf.labels == CHANNELS
    for i, signal in enumerate(edf.signals):
        assert signal.physical_dimension == "uV"
        assert np.array_equal(kept(signal), values_of(dtype="int16")[:, i])
    bits = {"edf": 16, "bdf": 24}[format_]
    assert f"samples, as integers of {bits} bits" in report.exact


@pytest.mark.parametrize(("format_", "steps"), [("edf", 2**16), ("bdf", 2**24)])
def test_other_numbers_are_rounded_by_no_more_than_is_said(session, tmp_path, format_, steps):
    edf, report = exported(session, format_, tmp_path)
    worst = 0.0
    for i, signal in enumerate(edf.signals):
        expected = values_of()[:, i].astype(np.float64)
        off = np.abs(kept(signal) - expected).max()
        assert 0 < off <= 0.51 * (expected.max() - expected.min() + 0.001) / (steps - 1)
        worst = max(worst, off)
    (line,) = [line for line in report.changed if "rounded" in line]
    assert f"at most {worst:.3g} uV off" in line


@pytest.mark.parametrize("format_", ["edf", "bdf"])
def test_markers_and_gaps_are_annotated_in_place(session, tmp_path, format_):
    edf, report = exported(session, format_, tmp_path)
    marks = [a for a in edf.annotations if a.text != "BAD_ACQ_SKIP"]
    assert [a.text for a in marks] == [label for _, label in markers_of()]
    for mark, (time_s, _) in zip(marks, markers_of(), strict=True):
        assert mark.onset == pytest.approx(time_s - times_of()[0], abs=1e-6)
    hole, *more = [a for a in edf.annotations if a.text == "BAD_ACQ_SKIP"]
    assert (hole.onset, hole.duration) == (GAP_AT / RATE_HZ, HOLE / RATE_HZ)
    assert more == []
    assert any("1 gaps are filled with 125 samples" in line for line in report.changed)
    assert "times of samples, to 1 µs" in report.exact
    assert any("'hand'" in line for line in report.left_out)
    assert any("what was decoded" in line for line in report.left_out)


def test_our_own_reader_sees_the_gap_and_the_markers(session, tmp_path):
    exported(session, "bdf", tmp_path)
    file = open_recording(tmp_path / "out.bdf")
    track = file.tracks[0]
    assert track.breaks.tolist() == [GAP_AT, GAP_AT + HOLE]
    assert [m.label for m in file.markers["annotations"]] == [label for _, label in markers_of()]
    file.close()


def test_who_and_when(session, tmp_path):
    edf, _ = exported(session, "edf", tmp_path)
    assert (edf.patient.code, edf.patient.name) == ("P01", "Jane_Doe")
    assert str(edf.startdatetime) == "2026-05-04 12:30:15"
    assert "serial-1234" in edf.recording.equipment_code


@pytest.mark.parametrize("format_", ["edf", "bdf"])
def test_anonymous_files_hold_no_secret(session, tmp_path, format_):
    exported(session, format_, tmp_path, anonymous=True)
    content = (tmp_path / f"out.{format_}").read_bytes()
    for secret in (*SECRETS[:-1], "Jane", "04.05.26", "MAY-2026"):
        assert secret.encode() not in content


def test_real_edf_keeps_every_integer_of_its_file(eegmmi, tmp_path):
    original = edfio.read_edf(eegmmi)
    for format_ in ("edf", "bdf"):
        edf, _ = exported(eegmmi, format_, tmp_path)
        for new, old in zip(edf.signals, original.signals, strict=True):
            assert new.label == old.label.rstrip(".")
            assert np.array_equal(new.digital, old.digital)
            assert new.physical_range == old.physical_range
        marks = [(a.onset, a.text) for a in edf.annotations]
        expected = [(a.onset, a.text) for a in original.annotations]
        assert [text for _, text in marks] == [text for _, text in expected]
        assert np.allclose([t for t, _ in marks], [t for t, _ in expected], atol=0.5 / 160)


def test_real_bdf_keeps_its_24_bits(shared_data, tmp_path):
    path = shared_data / "formats" / "bdf" / "biosemi_16ch_256Hz.bdf"
    edf, report = exported(path, "bdf", tmp_path)
    file = open_recording(path)
    volts, _ = file.tracks[0].stored(0, file.tracks[0].n_samples)
    for i, signal in enumerate(edf.signals):
        assert np.abs(signal.data[: len(volts)] - 1e6 * volts[:, i]).max() < 1e-6
    assert "samples, as integers of 24 bits" in report.exact
    file.close()


def test_real_spike_counts_stay_counts(stevenson, tmp_path):
    edf, report = exported(stevenson, "edf", tmp_path)
    file = open_recording(stevenson)
    counts, _ = file.tracks[0].stored(0, file.tracks[0].n_samples)
    for i, signal in enumerate(edf.signals):
        assert np.array_equal(signal.data[: len(counts)], counts[:, i])
    assert any("'velocity'" in line for line in report.left_out)
    file.close()


def record_numbers(path, values, times, rate_hz=100.0, channels=("a",), number_format="double64"):
    with XdfWriter.create(path) as xdf:
        stream = xdf.add_stream(XdfStream("x", "EEG", number_format, channels, "uV", rate_hz))
        xdf.write(stream, np.ascontiguousarray(values), times)
    return path


def test_what_is_no_number_becomes_zero_and_is_counted(tmp_path):
    values = np.ones((200, 1))
    values[3], values[4] = np.nan, np.inf
    path = record_numbers(tmp_path / "a.xdf", values, np.arange(200) / 100)
    edf, report = exported(path, "edf", tmp_path)
    assert edf.signals[0].data[2:6].tolist() == [1, 0, 0, 1]
    assert "2 values that are no numbers became 0" in report.changed


def test_names_that_do_not_fit_are_changed_and_said(tmp_path):
    names = ("a very long name of a channel", "a very long name of another", "Größe")
    path = record_numbers(
        tmp_path / "a.xdf", np.ones((200, 3)), np.arange(200) / 100, channels=names
    )
    edf, report = exported(path, "edf", tmp_path)
    assert edf.labels == ("a very long name", "a very long na~2", "Gr??e")
    assert any("a very long name of another → a very long na~2" in line for line in report.changed)


def test_a_last_record_that_is_not_full_is_filled_and_marked(tmp_path):
    path = record_numbers(tmp_path / "a.xdf", np.ones((211, 1)), np.arange(211) / 100)
    edf, report = exported(path, "edf", tmp_path)
    n = len(edf.signals[0].data)
    assert n > 211
    (mark,) = edf.annotations
    assert (mark.text, mark.onset) == ("BAD_ACQ_SKIP", 2.11)
    assert any("fill the last record" in line for line in report.changed)


@pytest.mark.parametrize("rate_hz", [1.0, 30.0, 128.0, 499.9, 512.0, 1000.0, 24414.0625, 333.3333])
def test_rates(tmp_path, rate_hz):
    n = int(3.3 * rate_hz) + 1
    path = record_numbers(tmp_path / "a.xdf", np.ones((n, 1)), 9 + np.arange(n) / rate_hz, rate_hz)
    edf, report = exported(path, "bdf", tmp_path)
    said = [line for line in report.changed if "the rate is" in line]
    off = abs(edf.signals[0].sampling_frequency - rate_hz) / rate_hz
    assert off < 1e-9 or (said and off < 1e-3)


def test_numbers_that_no_header_can_say_are_refused(tmp_path):
    path = record_numbers(tmp_path / "a.xdf", np.full((200, 1), 1.5e12), np.arange(200) / 100)
    with pytest.raises(CannotHold, match="too large for the header"):
        exported(path, "edf", tmp_path)


def test_what_would_be_mostly_holes_is_refused(tmp_path):
    times = np.arange(200) / 100
    times[100:] += 3600
    path = record_numbers(tmp_path / "a.xdf", np.ones((200, 1)), times)
    with pytest.raises(CannotHold, match="would be mostly holes"):
        exported(path, "edf", tmp_path)


def test_a_clock_that_is_set_back_is_said(tmp_path):
    times = 1000 + np.arange(2000) / 100
    times[1000:] -= 500
    path = record_numbers(tmp_path / "a.xdf", np.arange(2000.0)[:, None], times)
    edf, report = exported(path, "edf", tmp_path)
    assert any("set back 1 times" in line for line in report.changed)
    assert edf.signals[0].data[:2000].tolist() == list(range(2000))
