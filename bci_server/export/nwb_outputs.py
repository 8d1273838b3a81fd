"""What was decoded, in an NWB file: numbers in the module ``decoding``, words as events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bci_server.export.outputs import Outputs
from bci_server.export.source import Source

if TYPE_CHECKING:
    from pynwb import NWBFile

__all__ = ["add_events", "add_outputs", "module_of", "when_of"]

_EVEN_S = 1e-9


def module_of(file: NWBFile, name: str, about: str) -> Any:
    """Return the processing module of this name, made if there is none."""
    return file.processing.get(name) or file.create_processing_module(name, about)


def when_of(times: NDArray[np.float64], *rates_hz: float) -> dict[str, Any]:
    """Return a start and a rate if they give every time to 1 ns, else the times themselves.

    `rates_hz` are tried first, then what the times themselves suggest.
    """
    n = len(times)
    if n > 1 and times[-1] > times[0]:
        for rate_hz in (*rates_hz, (n - 1) / float(times[-1] - times[0])):
            even = times[0] + np.arange(n) / rate_hz
            if np.abs(even - times).max() <= _EVEN_S:
                return {"starting_time": float(times[0]), "rate": float(rate_hz)}
    return {"timestamps": times}


def add_events(
    file: NWBFile, name: str, about: str, texts: Sequence[str], times: NDArray[np.float64]
) -> None:
    """Add a table of events: words, and when they were said, in seconds."""
    from hdmf.common import VectorData
    from pynwb.event import EventsTable, TimestampVectorData

    columns = [
        TimestampVectorData(name="timestamp", description="when, in seconds", data=times),
        VectorData(name="annotation", description="what", data=list(texts)),
    ]
    file.add_events_table(EventsTable(name=name, description=about, columns=columns))


def add_outputs(file: NWBFile, source: Source) -> None:
    """Add what the decoder said and what was sent, to the module ``decoding`` and as events."""
    outputs, start_s = source.outputs, source.start_s
    if not outputs:
        return
    module = module_of(file, "decoding", "What was decoded, and what was sent to the effector.")
    _add_predictions(file, module, outputs, start_s)
    _add_commands(module, outputs, start_s)
    _add_sent(module, outputs, start_s)
    if tokens := outputs.tokens():
        texts = [token.text for _, token in tokens]
        at = np.array([said.time_s for said, _ in tokens]) - start_s
        add_events(file, "tokens", "decoded speech or spelling", texts, at)


def _add_predictions(file: NWBFile, module: Any, outputs: Outputs, start_s: float) -> None:
    predictions = outputs.predictions()
    if not predictions:
        return
    labels = list(dict.fromkeys(label for _, p in predictions for label in p.labels))
    rows = [_along(labels, p.labels, p.probabilities) for _, p in predictions]
    times = [said.time_s for said, _ in predictions]
    about = "probability of each class"
    module.add(_numbers("predictions", about, labels, rows, times, "1", start_s))
    decided = [(said.time_s, p.decision) for said, p in predictions if p.decision is not None]
    if decided:
        add_events(
            file,
            "decisions",
            "the class that was decided on",
            [decision for _, decision in decided],
            np.array([time_s for time_s, _ in decided]) - start_s,
        )


def _add_commands(module: Any, outputs: Outputs, start_s: float) -> None:
    commands = outputs.commands()
    if not commands:
        return
    axes = list(dict.fromkeys(name for _, c in commands for name in c.names))
    rows = [_along(axes, c.names, c.values) for _, c in commands]
    times = [said.time_s for said, _ in commands]
    units = ", ".join(dict.fromkeys(c.unit for _, c in commands))
    about = "commands before the safety gate"
    module.add(_numbers("commands", about, axes, rows, times, units, start_s))


def _add_sent(module: Any, outputs: Outputs, start_s: float) -> None:
    if not outputs.sent:
        return
    sent = sorted(outputs.sent, key=lambda m: m.ledger.decoded_s)
    axes = list(dict.fromkeys(name for m in sent for name in m.names))
    rows = [_along(axes, m.names, m.values) for m in sent]
    ledgers = [m.ledger for m in sent]
    units = ", ".join(dict.fromkeys(m.unit for m in sent))
    times = [ledger.decoded_s for ledger in ledgers]
    about = "commands after the safety gate"
    module.add(_numbers("sent_commands", about, axes, rows, times, units, start_s))
    # Before the first sample there is none that a command could follow from.
    moments = np.array([[t.sampled_s, t.received_s] for t in ledgers])
    ages = np.where(moments == 0, np.nan, moments - start_s).tolist()
    about = "when it was sampled and received"
    module.add(_numbers("ledger", about, ["sampled", "received"], ages, times, "s", start_s))


def _numbers(
    name: str,
    about: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[float]],
    times: Sequence[float],
    unit: str,
    start_s: float,
) -> Any:
    from pynwb import TimeSeries

    return TimeSeries(
        name=name,
        data=np.array(rows, np.float64),
        unit=unit or "1",
        **when_of(np.array(times) - start_s),
        description=f"{about}. Columns: {', '.join(columns)}",
    )


def _along(axes: Sequence[str], names: Sequence[str], values: Sequence[float]) -> list[float]:
    of_axis = dict(zip(names, values, strict=True))
    return [of_axis.get(axis, float("nan")) for axis in axes]
