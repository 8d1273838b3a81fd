"""Make the model of a session that is to be calibrated while it is used: one that knows nothing.

python examples/tasks/blank_model.py examples/sessions/cursor.toml
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from bci_server.config import load_session
from decoders.calibrating.calibration import uncalibrated


def main(arguments: list[str] | None = None) -> int:
    """Write the model; return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1:
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    session = load_session(Path(given[0]))
    device = session.device
    if getattr(device, "intent_stream", ""):
        device = replace(device, intent_stream="")  # type: ignore[type-var]  # nobody means anything yet
    with device.open() as stream:
        labels = session.target.channels if session.target is not None else ()
        truth = stream.truth_signal
        model = uncalibrated(
            session.pipeline,
            session.decoder,
            stream.signal,
            labels or (truth.channels if truth is not None else ("vx", "vy")),
            truth.unit if truth is not None else "m/s",
        )
    model.save(session.model, replace=True)
    print(f"wrote {session.model}, {model.hash}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
