import numpy as np
import pytest
import pyxdf

from devices.recording.xdf_writer import BOUNDARY, MAGIC, XdfStream, XdfWriter

RATE_HZ = 250.0
DTYPES = {
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "float32": np.float32,
    "double64": np.float64,
}


def load(path):
    streams, header = pyxdf.load_xdf(
        path, synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    return {s["info"]["name"][0]: s for s in streams}, header


def numbers(format_, n_channels, name="eeg", **more):
    channels = tuple(f"C{i}" for i in range(n_channels))
    return XdfStream(name, "EEG", format_, channels, "uV", RATE_HZ, **more)


def some(dtype, n, n_channels, seed=0):
    raw = np.random.default_rng(seed).integers(0, 256, (n, n_channels * np.dtype(dtype).itemsize))
    values = raw.astype(np.uint8).view(dtype)
    return np.nan_to_num(values) if np.dtype(dtype).kind == "f" else values


@pytest.mark.parametrize("format_", DTYPES)
def test_every_value_and_stamp_comes_back_to_the_bit(tmp_path, format_):
    rng = np.random.default_rng(1)
    values = some(DTYPES[format_], 1000, 7)
    times = 1e5 + np.cumsum(rng.uniform(0, 0.01, 1000))
    with XdfWriter.create(tmp_path / "a.xdf") as xdf:
        eeg = xdf.add_stream(numbers(format_, 7))
        for part in np.array_split(np.arange(1000), [1, 3, 100, 600]):
            xdf.write(eeg, values[part], times[part])
    stream = load(tmp_path / "a.xdf")[0]["eeg"]
    assert stream["time_series"].dtype == DTYPES[format_]
    np.testing.assert_array_equal(stream["time_series"], values)
    np.testing.assert_array_equal(stream["time_stamps"], times)


def test_stamps_may_be_given_for_the_first_sample_only(tmp_path):
    values = some(np.int16, 100, 3)
    with XdfWriter.create(tmp_path / "a.xdf") as xdf:
        eeg = xdf.add_stream(numbers("int16", 3))
        xdf.write(eeg, values[:1], 10.0)
        xdf.write(eeg, values[1:], 11.0)
    stream = load(tmp_path / "a.xdf")[0]["eeg"]
    np.testing.assert_array_equal(stream["time_series"], values)
    np.testing.assert_allclose(stream["time_stamps"], [10, *(11 + np.arange(99) / RATE_HZ)])
    assert stream["footer"]["info"]["last_timestamp"] == [repr(11 + 98 / RATE_HZ)]


def test_values_that_are_not_finite_are_kept(tmp_path):
    values = np.array([[np.nan, np.inf], [-np.inf, -0.0]], np.float32)
    with XdfWriter.create(tmp_path / "a.xdf") as xdf:
        xdf.write(xdf.add_stream(numbers("float32", 2)), values, np.array([1.0, 2.0]))
    kept = load(tmp_path / "a.xdf")[0]["eeg"]["time_series"]
    assert kept.tobytes() == values.tobytes()


def test_views_that_are_not_contiguous_are_written_as_they_read(tmp_path):
    whole = some(np.float32, 60, 10)
    with XdfWriter.create(tmp_path / "a.xdf") as xdf:
        xdf.write(xdf.add_stream(numbers("float32", 5)), whole[::2, ::2], np.arange(60.0)[::2])
    stream = load(tmp_path / "a.xdf")[0]["eeg"]
    np.testing.assert_array_equal(stream["time_series"], whole[::2, ::2])
    np.testing.assert_array_equal(stream["time_stamps"], np.arange(0.0, 60, 2))


def test_texts_of_any_length_and_script(tmp_path):
    texts = ["left", "", "é" * 127, "é" * 128, "x" * 100_000, "𝛼 <&> \x00"]
    times = np.arange(len(texts)) + 0.1
    with XdfWriter.create(tmp_path / "a.xdf") as xdf:
        markers = xdf.add_stream(XdfStream("cues", "Markers", "string", ("label",)))
        xdf.write_texts(markers, texts[:2], times[:2])
        xdf.write_texts(markers, [(t,) for t in texts[2:]], times[2:])
    stream = load(tmp_path / "a.xdf")[0]["cues"]
    assert [row[0] for row in stream["time_series"]] == texts
    np.testing.assert_array_equal(stream["time_stamps"], times)


def test_several_streams_with_their_clock_offsets_and_footers(tmp_path):
    offsets = [(10.0, 0.001), (15.0, 0.0011)]
    with XdfWriter.create(tmp_path / "a.xdf") as xdf:
        eeg, cues = (
            xdf.add_stream(numbers("float32", 2)),
            xdf.add_stream(XdfStream("cues", "Markers", "string", ("label",))),
        )
        for i in range(10):
            xdf.write(eeg, some(np.float32, 25, 2, i), np.arange(25) / RATE_HZ + i / 10)
            xdf.write_texts(cues, [f"T{i}"], [i / 10])
        for time_s, offset_s in offsets:
            xdf.write_clock_offset(eeg, time_s, offset_s)
    streams, header = load(tmp_path / "a.xdf")
    assert header["info"]["version"] == ["1.0"]
    assert list(
        zip(streams["eeg"]["clock_times"], streams["eeg"]["clock_values"], strict=True)
    ) == (offsets)
    footer = streams["eeg"]["footer"]["info"]
    assert footer["sample_count"] == ["250"]
    assert footer["first_timestamp"] == ["0.0"]
    assert float(footer["last_timestamp"][0]) == streams["eeg"]["time_stamps"][-1]
    assert len(footer["clock_offsets"][0]["offset"]) == 2
    assert len(streams["cues"]["time_series"]) == 10
    assert streams["cues"]["clock_times"] == []


def test_the_header_says_what_is_known(tmp_path):
    session = 'name = "µV & <tags>"\r\nhop_s = 0.1\n'
    desc = {"acquisition": {"manufacturer": "Acme"}, "note": ["one", "two"], "session": session}
    stream = XdfStream("amp", "EEG", "int16", ("Cz", "Aux"), ("uV", "m/s"), 500.0, "sn-1", desc)
    with XdfWriter.create(tmp_path / "a.xdf") as xdf:
        xdf.add_stream(stream)
    info = load(tmp_path / "a.xdf")[0]["amp"]["info"]
    assert info["source_id"] == ["sn-1"]
    assert float(info["nominal_srate"][0]) == 500
    known = info["desc"][0]
    assert [(c["label"][0], c["unit"][0]) for c in known["channels"][0]["channel"]] == [
        ("Cz", "uV"),
        ("Aux", "m/s"),
    ]
    assert known["acquisition"][0]["manufacturer"] == ["Acme"]
    assert known["note"] == ["one", "two"]
    assert known["session"] == [session]


def test_a_label_that_xml_cannot_hold_does_not_break_the_file(tmp_path):
    with XdfWriter.create(tmp_path / "a.xdf") as xdf:
        xdf.add_stream(XdfStream("amp\x01", "EEG", "int16", ("C\x00z", "\ud800")))
    channels = load(tmp_path / "a.xdf")[0]["amp\ufffd"]["info"]["desc"][0]["channels"][0]
    assert [c["label"][0] for c in channels["channel"]] == ["C\ufffdz", "\ufffd"]


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "a.xdf").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        XdfWriter.create(tmp_path / "a.xdf")
    assert (tmp_path / "a.xdf").read_bytes() == b"precious"


def test_every_piece_is_one_whole_chunk():
    pieces = []
    xdf = XdfWriter(lambda piece: pieces.append(bytes(piece)), boundary_bytes=2000)
    eeg = xdf.add_stream(numbers("float32", 8))
    for i in range(50):
        xdf.write(eeg, some(np.float32, 10, 8, i), np.arange(10.0) + i)
    xdf.close()
    assert pieces[0] == MAGIC
    assert all(p[0] == 4 and int.from_bytes(p[1:5], "little") == len(p) - 5 for p in pieces[1:])
    boundaries = [i for i, p in enumerate(pieces) if p.endswith(BOUNDARY)]
    assert len(boundaries) > 5
    between = np.diff([0, *boundaries])
    assert between.max() <= 2000 // len(pieces[3]) + 2


def test_closing_twice_ends_the_file_once(tmp_path):
    xdf = XdfWriter.create(tmp_path / "a.xdf")
    xdf.add_stream(numbers("int16", 1))
    xdf.close()
    size = (tmp_path / "a.xdf").stat().st_size
    xdf.close()
    assert (tmp_path / "a.xdf").stat().st_size == size


@pytest.mark.parametrize(
    ("values", "times"),
    [
        (np.zeros((4, 3), np.float64), np.zeros(4)),
        (np.zeros((4, 2), np.float32), np.zeros(4)),
        (np.zeros(3, np.float32), np.zeros(3)),
        (np.zeros((4, 3), np.float32), np.zeros(3)),
    ],
)
def test_what_does_not_fit_the_stream_is_refused_and_leaves_no_trace(tmp_path, values, times):
    with XdfWriter.create(tmp_path / "a.xdf") as xdf:
        eeg = xdf.add_stream(numbers("float32", 3))
        with pytest.raises(ValueError, match=r"float32 of 3 channels|stamps for 4 samples"):
            xdf.write(eeg, values, times)
        with pytest.raises(ValueError, match="not texts"):
            xdf.write_texts(eeg, ["a"], [1.0])
        xdf.write(eeg, np.ones((1, 3), np.float32), np.array([1.0]))
    assert load(tmp_path / "a.xdf")[0]["eeg"]["time_series"].tolist() == [[1, 1, 1]]


def test_no_samples_write_no_chunk():
    pieces = []
    xdf = XdfWriter(lambda piece: pieces.append(bytes(piece)))
    eeg = xdf.add_stream(numbers("float32", 3))
    before = len(pieces)
    xdf.write(eeg, np.empty((0, 3), np.float32), np.empty(0))
    assert len(pieces) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": ()},
        {"units": ("uV", "uV")},
        {"rate_hz": float("nan")},
        {"rate_hz": -1.0},
        {"format": "float64"},
    ],
)
def test_impossible_streams_are_refused(wrong):
    right = {"name": "a", "kind": "EEG", "format": "int16", "channels": ("a",)}
    with pytest.raises(ValueError, match=r"."):
        XdfStream(**(right | wrong))


@pytest.mark.parametrize("key", ["a b", "1st", "channels", ""])
def test_impossible_names_in_the_description_are_refused(key):
    xdf = XdfWriter(lambda piece: None)
    with pytest.raises(ValueError, match=r"channels|XML"):
        xdf.add_stream(XdfStream("a", "EEG", "int16", ("a",), desc={key: "x"}))
