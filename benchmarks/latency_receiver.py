"""The receiver of the latency benchmark: the peers' own, and one that speaks our protocol.

argv: protocol, url, file for the rows (arrival, newest sample time), as the peers' receiver has.
Runs in the peers' virtual environment, from a copy of their folder.
"""

import asyncio
import json
import os
import pathlib
import runpy
import signal
import sys
import time

import numpy as np

if sys.argv[1] != "ws-bci":
    runpy.run_path("recv_peers.py", run_name="__main__")
    sys.exit()

from picows import WSListener, WSMsgType, ws_connect

ROWS: list[tuple[float, float]] = []


class Listener(WSListener):
    """Says who it is, subscribes, and notes when each message came."""

    def on_ws_connected(self, transport):
        """Authenticate and subscribe."""
        token = pathlib.Path(os.environ["FEAS_TMP"], "token").read_text().strip()
        for call in (
            {"type": "auth", "token": token},
            {"type": "subscribe", "id": 1, "topics": ["commands"]},
        ):
            transport.send(WSMsgType.TEXT, json.dumps(call).encode())

    def on_ws_frame(self, transport, frame):
        """Note the arrival and the newest sample's time."""
        now = time.monotonic()
        if frame.msg_type != WSMsgType.TEXT:
            return
        message = json.loads(frame.get_payload_as_bytes())
        if message["type"] == "command":
            ROWS.append((now, message["ledger"]["sampled_s"]))
        else:
            print("RECV", message, flush=True)


def finish(*_):
    """Write the rows and end."""
    np.save(sys.argv[3], np.array(ROWS, dtype=np.float64).reshape(-1, 2))
    sys.exit(0)


async def main():
    """Connect, as soon as somebody listens, and receive until told to end."""
    signal.signal(signal.SIGTERM, finish)
    for _ in range(300):
        try:
            transport, _listener = await ws_connect(Listener, sys.argv[2])
            break
        except OSError:
            await asyncio.sleep(0.1)
    else:
        sys.exit(f"nothing answers at {sys.argv[2]}")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, finish)
    await transport.wait_disconnected()
    finish()


asyncio.run(main())
