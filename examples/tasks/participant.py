"""A simulated person who grasps by feel: python examples/tasks/participant.py [SESSION].

Means to close the hand until the fingertip feels something, then to be still; what is felt too
strongly is let go. Its intent is an LSL stream of labels that the simulated headset follows
(``bci stream simulator_eeg --intent-stream intents``), and what it feels is the session's own
stream of stimulation: the loop is closed through the service alone.
"""

from __future__ import annotations

import sys

from devices.liblsl import load_pylsl

_STRONG_UA = 60.0
_FORGET_S = 0.3
_REACTION_S = 0.2


def intent(felt_ua: float) -> str:
    """Return what is meant when so much is felt: 0 is nothing."""
    if felt_ua <= 0:
        return "right"
    return "left" if felt_ua > _STRONG_UA else "rest"


def main(session: str) -> None:
    """Mean something until Ctrl-C."""
    lsl = load_pylsl()
    info = lsl.StreamInfo("intents", "Markers", 1, lsl.IRREGULAR_RATE, lsl.cf_string, "person")
    intents = lsl.StreamOutlet(info)
    print("waiting for a headset to listen")
    while not intents.wait_for_consumers(1.0):
        pass
    skin = _skin(lsl, session)
    meant, felt_ua, felt_s = "", 0.0, -1.0
    while True:
        order, _ = skin.pull_sample(timeout=_REACTION_S)
        now_s = lsl.local_clock()
        if order is not None and order[0] >= 0:
            felt_ua, felt_s = order[1], now_s
        wish = intent(felt_ua if now_s - felt_s < _FORGET_S else 0.0)
        if wish != meant:
            meant = wish
            intents.push_sample([meant])
            print(f"means {meant}", flush=True)


def _skin(lsl: object, session: str) -> object:
    """Return what the electrode in the fingertip is told, once the session runs."""
    while True:
        for found in lsl.resolve_byprop("name", f"{session}-stimulation", timeout=1.0):
            return lsl.StreamInlet(found)


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "grasp")
    except KeyboardInterrupt:
        print()
