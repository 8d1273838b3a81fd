"""The XML in an XDF file's headers and footers, in the layout that LSL writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from typing import TypeAlias
from xml.sax.saxutils import escape

__all__ = ["Desc", "file_header", "stream_footer", "stream_header"]

Desc: TypeAlias = "str | Mapping[str, Desc] | Sequence[Desc]"
"""A text, elements by name, or several elements of one name."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z_][\w.\-]*\Z", re.ASCII)


def file_header(created: datetime) -> bytes:
    """Return the file's header."""
    return _document({"version": "1.0", "datetime": created.isoformat(timespec="milliseconds")})


def stream_header(
    *,
    name: str,
    kind: str,
    format_: str,
    channels: Sequence[str],
    units: str | Sequence[str],
    rate_hz: float,
    source_id: str,
    desc: Mapping[str, Desc],
) -> bytes:
    """Return the header of a stream.

    Raises
    ------
    ValueError
        A key of `desc` cannot be the name of an XML element, or is ``channels``.
    """
    if "channels" in desc:
        raise ValueError("the channels of a stream are given as such, not in its desc")
    each = repeat(units) if isinstance(units, str) else units
    listed: list[Desc] = [
        {"label": label, **({"unit": unit} if unit else {}), "type": kind}
        for label, unit in zip(channels, each, strict=False)
    ]
    return _document(
        {
            "name": name,
            "type": kind,
            "channel_count": str(len(channels)),
            "channel_format": format_,
            "nominal_srate": repr(float(rate_hz)),
            "source_id": source_id,
            "version": "1.10",
            "desc": {"channels": {"channel": listed}, **desc},
        }
    )


def stream_footer(
    first_s: float, last_s: float, n_samples: int, offsets: Iterable[tuple[float, float]]
) -> bytes:
    """Return the footer of a stream; `offsets` are (time, offset) in seconds."""
    measured: list[Desc] = [{"time": repr(t), "value": repr(v)} for t, v in offsets]
    return _document(
        {
            "first_timestamp": repr(first_s),
            "last_timestamp": repr(last_s),
            "sample_count": str(n_samples),
            "clock_offsets": {"offset": measured},
        }
    )


def _document(info: Mapping[str, Desc]) -> bytes:
    return ('<?xml version="1.0"?>' + "".join(_elements("info", info))).encode()


def _elements(name: str, value: Desc) -> Iterable[str]:
    if not _NAME.match(name):
        raise ValueError(f"{name!r} cannot be the name of an XML element")
    if isinstance(value, str):
        # A bare \r would be read back as \n; what XML cannot hold at all is marked as lost.
        text = _FORBIDDEN.sub("\ufffd", value)
        yield f"<{name}>{escape(text, {chr(13): '&#13;'})}</{name}>"
    elif isinstance(value, Mapping):
        yield f"<{name}>"
        for key, inner in value.items():
            yield from _elements(key, inner)
        yield f"</{name}>"
    else:
        for inner in value:
            yield from _elements(name, inner)
