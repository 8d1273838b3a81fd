"""Watching over an open LSL stream, off the hot path: its clock, and whether it is still the same.

liblsl reconnects by itself to whatever bears the name, type, source id, channel count and format
of a stream that vanished. It compares neither the rate nor the channels' names, units or host, and
it waits for ever for a sender that came back with other channels. So after each reconnection, and
while nothing comes, the network is asked who is there now.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from devices.clock import MONOTONIC
from devices.clock_offset import ClockOffset, OffsetEstimate, estimate_offset
from devices.device import DeviceChanged, DeviceRefused
from devices.discovery import StreamMatch, resolve
from devices.liblsl import load_pylsl
from devices.lsl_description import Description, differences

__all__ = ["SourceWatch"]

_PERIOD_S = 1.0
_RESOLVE_S = 0.5


class SourceWatch:
    """A thread that keeps an eye on one sender.

    Parameters
    ----------
    description
        Who it was at connect.
    inlets
        By host, a ``pylsl.StreamInlet`` whose clock is followed.
    estimates
        By host, LSL's first estimate of the offset of its clock.

    Attributes
    ----------
    offsets_s
        By host, what to add to its stamps.
    """

    def __init__(
        self,
        description: Description,
        inlets: Mapping[str, Any],
        estimates: Mapping[str, OffsetEstimate],
    ) -> None:
        self._description = description
        self._inlets = inlets
        now_s = MONOTONIC.now()
        self._clocks = {host: ClockOffset(first, now_s) for host, first in estimates.items()}
        self.offsets_s = {host: clock.offset_s for host, clock in self._clocks.items()}
        self._change: DeviceChanged | None = None
        self._is_asked = False
        self._must_verify = False
        self._verified = threading.Event()
        self._wake = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="lsl-watch", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Ask who is there, since nothing comes. Returns at once.

        Raises
        ------
        DeviceChanged
            An earlier look has found something else in the sender's place.
        """
        self._raise_change()
        self._is_asked = True
        self._wake.set()

    def verify(self) -> None:
        """Have the sender's identity looked at anew, since liblsl has reconnected."""
        self._verified.clear()
        self._must_verify = True
        self._wake.set()

    def is_verified(self, timeout_s: float) -> bool:
        """Wait for the answer to `verify`, at most `timeout_s`; True if it is the same sender.

        Raises
        ------
        DeviceChanged
            It is not.
        """
        known = self._verified.wait(timeout_s)
        self._raise_change()
        return known

    def close(self) -> None:
        """End the thread."""
        self._is_closing = True
        self._wake.set()
        self._thread.join()

    def _raise_change(self) -> None:
        if self._change is not None:
            raise self._change

    def _run(self) -> None:
        while not self._is_closing:
            self._follow_clocks()
            if self._must_verify or self._is_asked:
                self._is_asked = False
                self._ask_network()
            if not self._must_verify:
                self._wake.wait(_PERIOD_S)
            self._wake.clear()

    def _follow_clocks(self) -> None:
        util = load_pylsl().util
        for host, inlet in self._inlets.items():
            try:
                estimate = estimate_offset(inlet, 0.0)
            except (util.TimeoutError, util.LostError):
                continue  # reconnecting: the last estimate stands; who reads learns of a loss
            self._clocks[host].take(estimate, MONOTONIC.now())
            self.offsets_s[host] = self._clocks[host].offset_s

    def _ask_network(self) -> None:
        infos = resolve(self._query(), _RESOLVE_S)
        others = [i for i in infos if i.uid() != self._description.found.uid]
        if not infos or (not others and not self._must_verify):
            return  # nobody, or the same outlet, only silent
        for info in others or infos:
            if not self._judge(info):
                return
        if self._must_verify:
            self._must_verify = False
            self._verified.set()

    def _query(self) -> StreamMatch:
        found = self._description.found
        return StreamMatch(found.name, found.type, found.source_id)

    def _judge(self, info: Any) -> bool:
        """Compare one stream with the one that was; False if it cannot be told yet."""
        try:
            description = self._describe(info)
        except DeviceRefused as error:
            return self._refuse(str(error))
        if description is None:
            return False
        if changed := differences(self._description, description):
            return self._refuse(changed)
        self._description = description
        return True

    def _refuse(self, changed: str) -> bool:
        self._change = DeviceChanged(
            f"LSL stream {self._description.found.name!r} came back as something else: {changed}. "
            "Start the session anew if that is meant."
        )
        self._must_verify = False
        self._verified.set()
        return False

    def _describe(self, info: Any) -> Description | None:
        pylsl = load_pylsl()
        inlet = pylsl.StreamInlet(info, 1, 0, False)
        try:
            return Description.of(inlet.info(_RESOLVE_S))
        except (pylsl.util.TimeoutError, pylsl.util.LostError):
            return None  # it has gone again; the next look tells more
