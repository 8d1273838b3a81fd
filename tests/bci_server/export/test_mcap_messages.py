"""MCAP: what viewers of robotics get."""

import json

import jsonschema
import pytest

from bci_server.export.report import CannotHold
from bci_server.export.run import export
from tests.bci_server.export.sessions import STARTED, markers_of, times_of
from tests.devices.recording.recordings import record

reader = pytest.importorskip("mcap.reader")


def read(path):
    with path.open("rb") as file:
        return [
            (channel.topic, schema, message, json.loads(message.data))
            for schema, channel, message in reader.make_reader(file).iter_messages()
        ]


def test_every_output_and_marker_is_there_with_its_time(session, tmp_path):
    export([session], "mcap", tmp_path / "out.mcap")
    found = read(tmp_path / "out.mcap")
    topics = [topic for topic, *_ in found]
    assert sorted(set(topics)) == [
        "/commands",
        "/markers",
        "/predictions",
        "/sent_commands",
        "/tokens",
    ]
    assert [m.log_time for _, _, m, _ in found] == sorted(m.log_time for _, _, m, _ in found)
    began_ns = round(STARTED.timestamp() * 1e6) * 1000
    marks = [(m.log_time, d["label"]) for topic, _, m, d in found if topic == "/markers"]
    assert [label for _, label in marks] == [label for _, label in markers_of()]
    for (at_ns, _), (time_s, _) in zip(marks, markers_of(), strict=True):
        assert at_ns - began_ns == pytest.approx((time_s - times_of()[0]) * 1e9, abs=2)
    command = next(d for topic, _, _, d in found if topic == "/commands")
    assert (command["sample"], command["values"]) == (374, [0.5, -0.25])


def test_messages_are_as_their_schemas_say_and_those_stand_alone(session, tmp_path):
    export([session], "mcap", tmp_path / "out.mcap")
    for _, schema, _, document in read(tmp_path / "out.mcap"):
        parsed = json.loads(schema.data)
        assert "$ref" not in str(parsed)
        assert parsed["type"] == "object"
        jsonschema.validate(document, parsed)


def test_anonymous_times_tell_no_date(session, tmp_path):
    export([session], "mcap", tmp_path / "out.mcap", anonymous=True)
    assert max(m.log_time for _, _, m, _ in read(tmp_path / "out.mcap")) < 60e9


def test_a_recording_of_samples_alone_is_refused(tmp_path):
    path = tmp_path / "a.xdf"
    record(path, chunks=range(1, 3))
    with pytest.raises(CannotHold, match="csv, parquet and nwb"):
        export([path], "mcap", tmp_path / "out.mcap")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.xdf", "a.xdf.crc"]
