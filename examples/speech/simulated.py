"""A recording of the simulated speaker, as fast as it can be made: for calibration and for tests.

    python examples/speech/simulated.py train.xdf --text train.txt --duration-s 3600
    python examples/speech/simulated.py test.xdf --text test.txt --duration-s 900
    python examples/speech/simulated.py later.xdf --text test.txt --duration-s 900 --day 14

The same seed is the same participant with the same electrodes; `--day` lets them drift. Without
`--text` the sentences that come with the simulator are said. See docs/simulators.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from decoders.gathering import read_all  # noqa: E402 - found by the line above
from devices.adapters.simulator_speech import SimulatorSpeech  # noqa: E402
from devices.recording.xdf_writer import XdfStream, XdfWriter  # noqa: E402


def write(path: Path, device: SimulatorSpeech, has_truth: bool = False) -> int:
    """Write all that a device gives; return how many sentences were begun.

    With `has_truth`, also the stream ``truth``: what it would sound like.
    """
    said = 0
    with device.open() as stream, XdfWriter.create(path) as xdf:
        signal = stream.signal
        rows = xdf.add_stream(
            XdfStream("speech", "SPIKES", "float32", signal.channels, signal.unit, signal.rate_hz)
        )
        cues = xdf.add_stream(XdfStream("speech-markers", "Markers", "string", ("marker",)))
        voice = stream.truth_signal
        sounds = 0
        if has_truth and voice is not None:
            sounds = xdf.add_stream(
                XdfStream("truth", "Truth", "float32", voice.channels, voice.unit, voice.rate_hz)
            )
        for chunk, markers, truth in read_all(stream):
            xdf.write(rows, chunk.values, chunk.times)
            if sounds and truth is not None:
                xdf.write(sounds, truth.values, truth.times)
            if markers:
                xdf.write_texts(cues, [m.label for m in markers], [m.time_s for m in markers])
                said += sum(m.label.startswith("say:") for m in markers)
    return said


def main() -> None:
    """Write one recording."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--text", default="")
    parser.add_argument("--order", choices=["listed", "random"], default="listed")
    parser.add_argument("--duration-s", type=float, default=900.0)
    parser.add_argument("--output", choices=["counts", "features"], default="counts")
    parser.add_argument("--mode", choices=["sentences", "silence", "noise"], default="sentences")
    parser.add_argument("--day", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--truth", action="store_true", help="also write what it sounds like")
    args = parser.parse_args()
    device = SimulatorSpeech(
        output=args.output,
        text=args.text,
        order=args.order,
        mode=args.mode,
        day=args.day,
        seed=args.seed,
        speed=float("inf"),
        chunk_s=1.0,
        duration_s=args.duration_s,
    )
    print(f"{args.out}: {write(args.out, device, args.truth)} sentences begun")


if __name__ == "__main__":
    main()
