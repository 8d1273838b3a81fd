"""Makes small recordings with checksums."""

import numpy as np
import pyxdf

from devices.recording.checked_file import CheckedFile
from devices.recording.xdf_writer import XdfStream, XdfWriter

RATE_HZ = 100.0
N_CHUNKS = 20
PER_CHUNK = 10


def values_of(chunk):
    return np.arange(PER_CHUNK * 3, dtype=np.float32).reshape(PER_CHUNK, 3) + 1000 * chunk


def times_of(chunk):
    return 50 + (chunk * PER_CHUNK + np.arange(PER_CHUNK)) / RATE_HZ


def record(path, ends=True, chunks=range(N_CHUNKS)):
    """EEG of 20 chunks of 10 samples, and a marker with every fourth."""
    file = CheckedFile(path)
    xdf = XdfWriter(file.put)
    eeg = xdf.add_stream(XdfStream("eeg", "EEG", "float32", ("a", "b", "c"), "uV", RATE_HZ))
    cues = xdf.add_stream(XdfStream("cues", "Markers", "string", ("label",)))
    for chunk in chunks:
        xdf.write(eeg, values_of(chunk), times_of(chunk))
        if chunk % 4 == 0:
            xdf.write_texts(cues, [f"cue {chunk}"], [float(times_of(chunk)[0])])
            xdf.write_clock_offset(eeg, float(times_of(chunk)[0]), 1e-4)
            xdf.write_boundary()
    if ends:
        xdf.close()
    file.close()
    return path


def load(path):
    streams, _ = pyxdf.load_xdf(
        path, synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    return {s["info"]["name"][0]: s for s in streams}
