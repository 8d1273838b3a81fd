"""A simulated person who does as told: python examples/tasks/obedient.py URL TOKEN SESSION.

For a calibration with nobody there: what the session's cues ask for becomes an LSL stream of labels
that the simulated headset follows (``bci stream simulator_eeg --intent-stream intents``).
"""

from __future__ import annotations

import asyncio
import sys

from bci_server.client import ClientError, connect
from bci_server.wire import MarkerMessage
from devices.liblsl import load_pylsl

_REACTION_S = 0.3


async def main(url: str, token: str, session: str) -> None:
    """Mean what is cued until Ctrl-C."""
    lsl = load_pylsl()
    info = lsl.StreamInfo("intents", "Markers", 1, lsl.IRREGULAR_RATE, lsl.cf_string, "person")
    intents = lsl.StreamOutlet(info)
    async with connect(url, token, session=session) as client:
        async for message in client.subscribe("markers"):
            if isinstance(message, MarkerMessage) and message.source == "calibration":
                await asyncio.sleep(_REACTION_S)
                intents.push_sample([message.label])
                print(f"means {message.label}", flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:4]))
    except KeyboardInterrupt:
        print()
    except ClientError as error:
        sys.exit(str(error))
