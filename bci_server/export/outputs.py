"""What was decoded in a recorded session, and what of it went out to effectors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bci_server.wire import CommandMessage, Ledger, StatusMessage
from decoders.output import Command, Output, Prediction, Token
from decoders.transcript import parse_line
from devices.device import DeviceRefused
from devices.recording.checksums import read_checksums
from devices.recording.pieces import map_file, pieces_of
from devices.recording.verify import decoded

__all__ = ["Outputs", "Said", "read_outputs"]

_MESSAGE = msgspec.json.Decoder(CommandMessage | StatusMessage)


@dataclass(frozen=True, slots=True)
class Said:
    """One output: the time of the sample that it follows from, that sample, and what was said."""

    time_s: float
    sample: int
    output: Output


@dataclass(frozen=True, slots=True)
class Outputs:
    """All that a session said.

    Parameters
    ----------
    said
        What the decoder said.
    sent
        Commands as they went out after the safety gate, with their ledgers.
    times
        By name of the stream of samples: (n,) when each sample was, on the clock of all that was
        said, where the samples have stamps of their sender's.
    """

    said: list[Said] = field(default_factory=list)
    sent: list[CommandMessage] = field(default_factory=list)
    times: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.said or self.sent)

    def moved(self, by_s: float) -> Outputs:
        """Return the same with all times later by `by_s`."""
        return Outputs(
            [replace(said, time_s=said.time_s + by_s) for said in self.said],
            [
                msgspec.structs.replace(message, ledger=_moved(message.ledger, by_s))
                for message in self.sent
            ],
        )

    def predictions(self) -> list[tuple[Said, Prediction]]:
        """Return the predictions."""
        return [(s, s.output) for s in self.said if isinstance(s.output, Prediction)]

    def commands(self) -> list[tuple[Said, Command]]:
        """Return the commands as they were decoded."""
        return [(s, s.output) for s in self.said if isinstance(s.output, Command)]

    def tokens(self) -> list[tuple[Said, Token]]:
        """Return the tokens."""
        return [(s, s.output) for s in self.said if isinstance(s.output, Token)]


def read_outputs(path: Path) -> tuple[Outputs, frozenset[str]]:
    """Read the outputs in an XDF file, and the names of the streams that only a replay needs.

    Raises
    ------
    DeviceNotFound, DeviceRefused
        There is no such file, or what it says of outputs cannot be understood.
    """
    outputs = Outputs()
    inner: set[str] = set()
    times: dict[str, list[NDArray[np.float64]]] = {}
    data = map_file(path)
    for found in decoded(data, pieces_of(data, read_checksums(path))):
        layout, samples = found.layout, found.samples
        if layout is None or not layout.kind.startswith("bci."):
            continue
        inner.add(layout.name)
        if samples is not None and layout.kind == "bci.times" and samples.values is not None:
            name = layout.name.removesuffix(" times")
            times.setdefault(name, []).append(samples.values[:, 0].astype(np.float64))
        if samples is None or layout.kind not in ("bci.outputs", "bci.messages"):
            continue
        try:
            for time_s, (text, *_) in zip(samples.times.tolist(), samples.texts, strict=True):
                _take(outputs, layout.kind, time_s, text)
        except msgspec.DecodeError as e:
            raise DeviceRefused(f"{path}: what it says of outputs cannot be understood: {e}") from e
    outputs.times.update({name: np.concatenate(pieces) for name, pieces in times.items()})
    return outputs, frozenset(inner)


def _moved(ledger: Ledger, by_s: float) -> Ledger:
    moments = {name: getattr(ledger, name) for name in Ledger.__struct_fields__}
    return Ledger(**{name: at_s + by_s if at_s else at_s for name, at_s in moments.items()})


def _take(outputs: Outputs, kind: str, time_s: float, text: str) -> None:
    if kind == "bci.outputs":
        sample, said = parse_line(text)
        outputs.said.extend(Said(time_s, sample, output) for output in said)
    else:
        message = _MESSAGE.decode(text)
        if isinstance(message, CommandMessage):
            outputs.sent.append(message)
