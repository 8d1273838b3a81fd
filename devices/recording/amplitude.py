"""Whether voltages can be what they claim: a unit that is wrong in the file shows in their size."""

from __future__ import annotations

import numpy as np

from devices.recording.track import Track

__all__ = ["doubt_amplitude"]

#: Standard deviations, in µV, between which unfiltered EEG and ECoG of a living person lie;
#: generous, as drift and movement make them large.
_PLAUSIBLE_UV = (0.5, 2000.0)
_KINDS = ("eeg", "ecog", "seeg", "ieeg", "dbs", "lfp")
_LOOK_S = 10.0


def doubt_amplitude(track: Track) -> str:
    """Say what is odd about the size of the first seconds of `track`; empty if nothing is."""
    if track.signal.unit != "uV" or track.kind not in _KINDS:
        return ""
    n = min(track.n_samples, round(_LOOK_S * track.signal.rate_hz))
    with np.errstate(all="ignore"):  # values that are no numbers are counted elsewhere
        deviation_uv = float(np.median(track.read(0, n).std(axis=0, dtype=np.float64)))
    low, high = _PLAUSIBLE_UV
    if not deviation_uv or low <= deviation_uv <= high or not np.isfinite(deviation_uv):
        return ""
    return (
        f"the signal's standard deviation is {deviation_uv:.3g} µV, which no brain has "
        f"({low:g} to {high:g}): the file's unit ({track.stated_unit}) may be wrong; "
        "unit = ... sets it right"
    )
