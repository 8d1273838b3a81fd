"""Sensory feedback on its way to a stimulator: an LSL stream, ``<session>-stimulation``.

Each sample is one order: the electrode's number (from 0, in the order of the session file),
amplitude, pulse width, rate and duration of a train. An order of zeros with the electrode -1 ends
all trains: it is sent whenever the lease ends, by whatever cause, and when the session does.
"""

from __future__ import annotations

from bci_server.control import Answer, GiveStimulus
from bci_server.safety.lease import Lease
from bci_server.safety.stimulation import Stimulation, Stimulus, Trains
from devices.clock import Clock
from devices.liblsl import load_pylsl

__all__ = ["CHANNELS", "Stimulator", "label_of"]

CHANNELS = (
    ("electrode", ""),
    ("amplitude", "uA"),
    ("pulse_width", "us"),
    ("rate", "Hz"),
    ("duration", "s"),
)
_OFF = [-1.0, 0.0, 0.0, 0.0, 0.0]


def label_of(asked: GiveStimulus) -> str:
    """Return the marker that says what was given."""
    return (
        f"stimulate {asked.electrode} {asked.amplitude_ua:g} uA {asked.pulse_width_us:g} us "
        f"{asked.rate_hz:g} Hz {asked.duration_s:g} s"
    )


class Stimulator:
    """Gives what the limits allow to whoever is armed.

    Parameters
    ----------
    session
        Its name.
    limits
        Its ``[stimulation]`` section.
    lease
        Who is armed.
    clock
        Tells when trains run.
    """

    def __init__(self, session: str, limits: Stimulation, lease: Lease, clock: Clock) -> None:
        self._electrodes = limits.electrodes
        self._trains = Trains(limits)
        self._lease = lease
        self._clock = clock
        lsl = load_pylsl()
        info = lsl.StreamInfo(
            f"{session}-stimulation",
            "Stimulation",
            len(CHANNELS),
            lsl.IRREGULAR_RATE,
            lsl.cf_float32,
            f"bci-server:{session}:stimulation",
        )
        channels = info.desc().append_child("channels")
        for name, unit in CHANNELS:
            channel = channels.append_child("channel")
            channel.append_child_value("label", name)
            channel.append_child_value("unit", unit)
        named = info.desc().append_child("electrodes")
        for name in limits.electrodes:
            named.append_child_value("electrode", name)
        self._outlet = lsl.StreamOutlet(info)

    def give(self, asked: GiveStimulus) -> Answer:
        """Send what is asked to the stimulator, or say why not."""
        lease = self._lease
        if lease.limits() is None or asked.holder != lease.holder:
            error, fix = "only who is armed may stimulate", "arm first"
            return Answer(call=asked.call, ok=False, error=error, fix=fix)
        stimulus = Stimulus(
            asked.electrode,
            asked.amplitude_ua,
            asked.pulse_width_us,
            asked.rate_hz,
            asked.duration_s,
        )
        now_s = self._clock.now()
        if refusal := self._trains.give(stimulus, now_s):
            return Answer(call=asked.call, ok=False, error=refusal.cause, fix=refusal.fix)
        number = self._electrodes.index(stimulus.electrode)
        order = [stimulus.amplitude_ua, stimulus.pulse_width_us, stimulus.rate_hz]
        self._outlet.push_sample([float(number), *order, stimulus.duration_s], now_s)
        return Answer(call=asked.call, ok=True)

    def stop(self) -> bool:
        """End all trains, and say whether any ran; nothing is sent if none did."""
        now_s = self._clock.now()
        ran = self._trains.stop(now_s)
        if ran:
            self._outlet.push_sample(_OFF, now_s)
        return ran
