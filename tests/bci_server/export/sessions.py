"""A recorded session with all that can be in one: odd stamps, a gap, markers, outputs, words."""

from datetime import UTC, datetime

import msgspec
import numpy as np

from bci_server.wire import CommandMessage, Ledger, StatusMessage
from decoders.output import Command, Prediction, Token
from decoders.transcript import Transcript
from devices.recording.xdf_writer import XdfStream, XdfWriter

RATE_HZ = 250.0
N = 1000
GAP_AT = 600
N_COMMANDS = 6
CHANNELS = ("C3", "Cz", "C4")
STARTED = datetime(2026, 5, 4, 12, 30, 15, 250000, UTC)
SECRETS = ("serial-1234", "lab-pc-7", "Jane Doe", "slept badly", "consent-88", "2026")

DESC = {
    "bci": {
        "version": "1",
        "participant": "P01",
        "decoder": "lda",
        "model": "ab" * 32,
        "consent": "consent-88",
        "session_file": "# slept badly\nname = 'x'",
    },
    "subject": {"name": "Jane Doe"},
    "acquisition": {"manufacturer": "Acme", "model": "Cap3", "serial_number": "serial-1234"},
    "reference": {"label": "A1"},
    "remark": "slept badly",
}


def times_of(n=N):
    """Regular to 1 ns, with half a second missing in the middle."""
    times = 5000.0 + np.arange(n) / RATE_HZ
    times[GAP_AT:] += 0.5
    return times


def values_of(n=N, dtype="float32"):
    rng = np.random.default_rng(5)
    return (30 * rng.standard_normal((n, len(CHANNELS)))).astype(dtype)


def markers_of():
    times = times_of()
    return [(times[100], "left"), (times[500] + 0.0007, "right"), (times[700], "links, Ärger")]


def write_session(path, dtype="float32"):
    """Write a session as the recorder does; `dtype` is that of the samples."""
    pieces = []
    xdf = XdfWriter(lambda piece: pieces.append(bytes(piece)), created=STARTED)
    name = {"float32": "float32", "int16": "int16", "float64": "double64"}[dtype]
    eeg = xdf.add_stream(XdfStream("cap", "EEG", name, CHANNELS, "uV", RATE_HZ, "lab-pc-7", DESC))
    cues = xdf.add_stream(XdfStream("cues", "Markers", "string", ("label",)))
    hand = xdf.add_stream(XdfStream("hand", "Kinematics", "double64", ("x", "y"), "m", 50.0))
    times, values = times_of(), values_of(dtype=dtype)
    for first in range(0, N, 50):
        xdf.write(eeg, values[first : first + 50], times[first : first + 50])
    xdf.write(hand, np.linspace(0, 1, 200).reshape(100, 2), 5000.0 + np.arange(100) / 50)
    xdf.write_texts(cues, [label for _, label in markers_of()], [t for t, _ in markers_of()])
    texts = {
        kind: xdf.add_stream(XdfStream(f"cap {kind}", f"bci.{kind}", "string", (kind,)))
        for kind in ("outputs", "messages", "log")
    }
    transcript = Transcript()
    for sample, outputs in said().items():
        xdf.write_texts(texts["outputs"], [transcript.add(sample, outputs)], [times[sample]])
    for message in sent():
        text = msgspec.json.encode(message).decode()
        xdf.write_texts(texts["messages"], [text], [message.ledger.decoded_s])
    xdf.write_texts(texts["log"], ['{"log": "start"}'], [5000.0])
    xdf.close()
    path.write_bytes(b"".join(pieces))
    return path


def said():
    return {
        124: (Prediction(("left", "right"), (0.25, 0.75)),),
        249: (
            Prediction(("left", "right"), (0.1, 0.9), "right", 100),
            Token(0, "ja", "word", True),
        ),
        299: (Prediction(("left", "right"), (0.4, 0.6)),),
        **{
            374 + 25 * i: (Command("velocity", ("vx", "vy"), (0.5, -0.25), "m/s", 0.9),)
            for i in range(N_COMMANDS)
        },
    }


def sent():
    return [message for i in range(N_COMMANDS) for message in _sent(374 + 25 * i)]


def _sent(sample):
    now_s = float(times_of()[sample])
    ledger = Ledger(now_s, now_s + 0.001, now_s + 0.002, now_s + 0.003)
    common = {"seq": 1, "sample": sample, "ledger": ledger}
    return [
        StatusMessage(topic="status", session="cap", state="running", **common),
        CommandMessage(
            topic="commands",
            mode="velocity",
            names=("vx", "vy"),
            values=(0.0, 0.0),
            unit="m/s",
            confidence=0.9,
            ttl_ms=100.0,
            armed=False,
            reason="disarmed",
            decoded=(0.5, -0.25),
            **common,
        ),
    ]
