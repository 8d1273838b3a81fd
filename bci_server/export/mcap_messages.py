"""MCAP: commands, predictions, tokens and markers for the viewers of robotics (Foxglove, Rerun).

Every channel carries JSON with a schema beside it. A message's time is that of its sample (of what
was sent: when that was decided), in nanoseconds: of the wall clock where the recording says when it
began, else of its own clock.

Source: https://mcap.dev/spec
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bci_server.export.report import CannotHold, Report
from bci_server.export.source import Source
from bci_server.wire import CommandMessage
from decoders.output import Command, Prediction, Token
from decoders.transcript import plain_number
from devices.signal import Marker

__all__ = ["write"]

_TYPES: dict[str, type] = {
    "predictions": Prediction,
    "commands": Command,
    "tokens": Token,
    "sent_commands": CommandMessage,
    "markers": Marker,
}
_NS = 1_000_000_000


def write(source: Source, target: Path, report: Report) -> None:
    """Write the file.

    Raises
    ------
    CannotHold
        Nothing was decoded or marked.
    """
    from mcap.writer import Writer

    messages = sorted(_messages(source), key=lambda message: message[1])
    if not messages:
        raise CannotHold(
            f"{source.path} has no commands, predictions, tokens or markers; csv, parquet and nwb "
            "hold its samples"
        )
    base_ns, start_s = _epoch(source, report)
    with target.open("xb") as file:
        writer = Writer(file)
        writer.start(profile="", library="bci-server")
        channels: dict[str, int] = {}
        for n, (topic, time_s, content) in enumerate(messages):
            if topic not in channels:
                schema = json.dumps(_flat_schema(_TYPES[topic])).encode()
                name = f"bci.{_TYPES[topic].__name__}"
                schema_id = writer.register_schema(name, "jsonschema", schema)
                channels[topic] = writer.register_channel(f"/{topic}", "json", schema_id)
            time_ns = max(base_ns + round((time_s - start_s) * _NS), 0)
            writer.add_message(channels[topic], time_ns, content, time_ns, n)
        writer.finish()
    report.exact += ["commands, predictions, tokens and markers", "their times, to 1 ns"]
    report.left_out.append(f"all samples ({', '.join(s.name for s in source.series)})")


def _epoch(source: Source, report: Report) -> tuple[int, float]:
    """Return the time in ns that the moment `start_s` of the recording's clock gets."""
    started = source.about.started_at
    if started is None:
        report.changed.append("times count on the recording's own clock, not from 1970")
        return round(source.start_s * _NS), source.start_s
    report.changed.append(
        "times are of the wall clock: the first sample is put to the time in the header"
    )
    return round(started.timestamp() * 1e6) * 1000, source.start_s


def _messages(source: Source) -> Iterator[tuple[str, float, bytes]]:
    encode = msgspec.json.Encoder(enc_hook=plain_number).encode
    outputs = source.outputs
    groups: tuple[tuple[str, list[Any]], ...] = (
        ("predictions", outputs.predictions()),
        ("commands", outputs.commands()),
        ("tokens", outputs.tokens()),
    )
    for topic, group in groups:
        for said, output in group:
            document = {"sample": said.sample, **msgspec.to_builtins(output, enc_hook=plain_number)}
            yield topic, said.time_s, encode(document)
    for message in outputs.sent:
        yield "sent_commands", message.ledger.decoded_s, encode(message)
    for name, markers in source.markers.items():
        for marker in markers:
            document = {"time_s": marker.time_s, "label": marker.label, "list": name}
            yield "markers", marker.time_s, encode(document)


def _flat_schema(of: type) -> dict[str, Any]:
    """Return a JSON Schema without references, which viewers do not follow."""
    (schema,), defined = msgspec.json.schema_components([of], ref_template="{name}")
    flat: dict[str, Any] = _resolved(schema, defined)
    if of is not CommandMessage and of is not Marker:
        flat["properties"] = {"sample": {"type": "integer"}, **flat["properties"]}
    if of is Marker:
        flat["properties"]["list"] = {"type": "string"}
    return flat


def _resolved(node: Any, defined: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        if "$ref" in node:
            return _resolved(defined[node["$ref"]], defined)
        return {key: _resolved(value, defined) for key, value in node.items()}
    if isinstance(node, list):
        return [_resolved(value, defined) for value in node]
    return node
