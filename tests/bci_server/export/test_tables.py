"""CSV and Parquet: what goes in comes out, to the bit."""

import csv

import numpy as np
import pytest

from bci_server.export.run import export
from devices.recording.formats import open_recording
from tests.bci_server.export.sessions import (
    CHANNELS,
    GAP_AT,
    N_COMMANDS,
    markers_of,
    said,
    sent,
    times_of,
    values_of,
    write_session,
)

pq = pytest.importorskip("pyarrow.parquet")


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_holds_samples_and_times_to_the_bit(session, tmp_path):
    (report,) = export([session], "csv", tmp_path / "out")
    rows = read_csv(tmp_path / "out" / "signal_cap.csv")
    values = np.array([[float(row[c]) for c in CHANNELS] for row in rows], np.float32)
    assert np.array_equal(values, values_of())
    assert [float(row["time_s"]) for row in rows] == times_of().tolist()
    assert [i for i, row in enumerate(rows) if row["after_gap"] == "True"] == [GAP_AT]
    assert not report.left_out


def test_csv_holds_markers_and_what_was_said(session, tmp_path):
    export([session], "csv", tmp_path / "out")
    rows = read_csv(tmp_path / "out" / "markers.csv")
    assert [(float(r["time_s"]), r["label"]) for r in rows] == markers_of()
    first, second, *_ = read_csv(tmp_path / "out" / "predictions.csv")
    assert (first["sample"], first["p_left"], first["decision"]) == ("124", "0.25", "")
    assert (second["decision"], second["cue_sample"]) == ("right", "100")
    assert float(second["time_s"]) == times_of()[249]
    (token,) = read_csv(tmp_path / "out" / "tokens.csv")
    assert (token["text"], token["unit"], token["is_final"]) == ("ja", "word", "True")
    command, *more = read_csv(tmp_path / "out" / "commands.csv")
    assert (command["v_vx"], command["v_vy"], command["unit"]) == ("0.5", "-0.25", "m/s")
    assert len(more) == N_COMMANDS - 1
    gated, *_ = read_csv(tmp_path / "out" / "sent_commands.csv")
    ledger = sent()[1].ledger
    assert float(gated["published_s"]) == ledger.published_s
    assert (gated["armed"], gated["reason"]) == ("False", "disarmed")
    assert (gated["v_vx"], gated["decoded_vx"]) == ("0.0", "0.5")
    units = {(r["table"], r["column"]): r["unit"] for r in read_csv(tmp_path / "out/columns.csv")}
    assert units["signal_cap", "C3"] == "uV"
    assert units["signal_hand", "x"] == "m"
    assert units["sent_commands", "ttl_ms"] == "ms"


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_parquet_keeps_every_type(tmp_path, dtype):
    session = write_session(tmp_path / "a.xdf", dtype)
    export([session], "parquet", tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "signal_cap.parquet")
    values = np.stack([table[c].to_numpy() for c in CHANNELS], axis=1)
    assert values.dtype == dtype
    assert np.array_equal(values, values_of(dtype=dtype))
    assert table.schema.field("C3").metadata == {b"unit": b"uV"}
    predictions = pq.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    assert predictions[0]["decision"] is None
    assert predictions[1]["p_right"] == said()[249][0].probabilities[1]


def test_real_recordings(stevenson, switch, eegmmi, tmp_path):
    export([stevenson, switch, eegmmi], "parquet", tmp_path / "out")
    for path, name, stream in (
        (stevenson, "m1", "spikes"),
        (stevenson, "m1", "position"),
        (switch, "switch_example", "g_USBamp_1"),
        (eegmmi, "S001R04", "eeg"),
    ):
        table = pq.read_table(tmp_path / "out" / name / f"signal_{stream}.parquet")
        file = open_recording(path)
        (track,) = [t for t in file.tracks if t.name.replace(".", "_").replace("-", "_") == stream]
        stored, _ = track.stored(0, track.n_samples)
        assert np.array_equal(table["time_s"].to_numpy(), track.stamps(0, track.n_samples))
        for i, channel in enumerate(track.signal.channels):
            assert np.array_equal(table[channel].to_numpy(), stored[:, i])
        file.close()
