"""What the safety gate takes for a command, at a real cadence.

    python benchmarks/gate.py [--seconds 20]

An armed session gives a velocity of two values each 10 ms, and the core idles between: a hot loop
would flatter. Timed is all that lies between the decoder's command and the message: lease, gate,
state and message.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bci_server.calls import Limit
from bci_server.control import ArmLease, RenewLease
from bci_server.safety.gate import Shape
from bci_server.safety.guard import Guard
from bci_server.safety.limits import Safety
from bci_server.scheduling import raise_priority
from bci_server.wire import DecoderName, Ledger
from decoders.output import Command
from devices.clock import MONOTONIC

_PERIOD_S = 0.01


def main() -> None:
    """Measure, print the line."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--seconds", type=float, default=20.0)
    n = round(ask.parse_args().seconds / _PERIOD_S)
    guard = Guard(
        Shape("velocity", ("x", "y"), "m/s"), Safety(), DecoderName("ridge", "1", "abc"), MONOTONIC
    )
    limits: dict[str, float | Limit] = {
        name: Limit(value=0.5, acceleration=5.0, low=-1e3, high=1e3) for name in ("x", "y")
    }
    guard.control(ArmLease(call=1, holder="a", limits=limits), "running")
    scheduling = raise_priority()
    begun_s, took_us, n_stood = MONOTONIC.now(), np.empty(n), 0
    for i in range(n):
        MONOTONIC.sleep_until(begun_s + (i + 1) * _PERIOD_S)
        guard.control(RenewLease(call=2, holder="a"), "running")
        now_s = MONOTONIC.now()
        command = Command("velocity", ("x", "y"), (0.3 * np.sin(i / 50), 0.2), "m/s", 0.9)
        ledger = Ledger(now_s, now_s, now_s)
        start_s = time.perf_counter()
        message = guard.message(command, "running", "good", 5.0, i, ledger)
        took_us[i] = 1e6 * (time.perf_counter() - start_s)
        n_stood += message is not None and message.mode == "velocity"
    p50, p99, p999 = np.percentile(took_us, (50, 99, 99.9))
    print(f"{n} commands at 100 Hz, {scheduling}, {n_stood} stood: "
          f"p50 {p50:.1f}, p99 {p99:.1f}, p99.9 {p999:.1f} us")  # fmt: skip


if __name__ == "__main__":
    main()
