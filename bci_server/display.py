"""The samples as a display wants them: fewer, in a few messages a second."""

from __future__ import annotations

import numpy as np

from bci_server.wire import DecoderName, Ledger, SignalMessage
from devices.signal import Chunk, Signal

__all__ = ["Display"]

_MESSAGE_S = 0.05


class Display:
    """Collects every n-th sample, and makes a message of them twenty times a second.

    Thinned without a filter in front: what lies above half of the displayed rate folds down. For
    looking, not for analysis.

    Parameters
    ----------
    signal
        What is shown.
    rate_hz
        About how many samples a second; the true rate is in the messages.
    """

    def __init__(self, signal: Signal, rate_hz: float) -> None:
        self._signal = signal
        self._every = max(1, round(signal.rate_hz / rate_hz))
        self.rate_hz = signal.rate_hz / self._every
        self._rows = np.empty((max(1, round(self.rate_hz * _MESSAGE_S)), signal.n_channels))
        self._filled = 0

    def take(
        self, block: Chunk, sample: int, ledger: Ledger, decoder: DecoderName
    ) -> list[SignalMessage]:
        """Take in the block that ends with `sample`; return the messages that it completes."""
        first = sample + 1 - len(block)
        picked = block.values[-first % self._every :: self._every]
        messages = []
        while len(picked):
            room = self._rows[self._filled :]
            n = min(len(room), len(picked))
            room[:n] = picked[:n]
            picked = picked[n:]
            self._filled += n
            if self._filled == len(self._rows):
                self._filled = 0
                messages.append(self._message(sample, ledger, decoder))
        return messages

    def _message(self, sample: int, ledger: Ledger, decoder: DecoderName) -> SignalMessage:
        return SignalMessage(
            topic="signal",
            sample=sample,
            ledger=ledger,
            decoder=decoder,
            channels=self._signal.channels,
            unit=self._signal.unit,
            rate_hz=self.rate_hz,
            values=tuple(map(tuple, self._rows.tolist())),
        )
