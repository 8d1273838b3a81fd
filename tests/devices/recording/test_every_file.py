"""Every real file at hand opens as it should, or is refused with its reason.

The figures were read with MNE, pyxdf and csv, not with the code under test.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from devices.adapters.recording import Recording
from devices.device import DeviceRefused, EndOfStream

FOLDERS = ("formats", "xdf_lsl", "eegmmi_s001", "ssvep_exo")


@dataclass(frozen=True)
class Opens:
    rate_hz: float
    n_samples: int
    n_channels: int
    first_channels: tuple[str, ...]
    unit: str
    deviation: float  # of the first channel, in `unit`
    markers: dict[str, int] = field(default_factory=dict)
    first_marker_s: float | None = None  # after the first sample
    n_gaps: int = 0
    says: str = ""


MMI = ("Fc5", "Fc3", "Fc1")
EXO = ("Oz", "O1", "O2", "PO3", "POz", "PO7", "PO8", "PO4")
EXO_CUES = {"1": 8, "2": 8, "3": 8, "4": 8}
TRIALS_A = {"T0": 15, "T1": 8, "T2": 7}
TRIALS_B = {"T0": 15, "T1": 7, "T2": 8}
ODD_SIZE = "the file's unit"

#: A text of minimal.xdf, put there to try readers.
FOOTER = (
    '<?xml version="1.0"?><info><writer>LabRecorder xdfwriter</writer>'
    "<first_timestamp>5.1</first_timestamp><last_timestamp>5.9</last_timestamp>"
    "<sample_count>9</sample_count><clock_offsets>"
    "<offset><time>50979.76</time><value>-.01</value></offset>"
    "<offset><time>50979.86</time><value>-.02</value></offset></clock_offsets></info>"
)

#: What it is, or a part of why it is refused.
FILES: dict[str, Opens | str] = {
    "eegmmi_s001/S001R01.edf": Opens(160, 9600, 64, MMI, "uV", 58.0219, {"T0": 1}, 0.0),
    "eegmmi_s001/S001R02.edf": Opens(160, 9600, 64, MMI, "uV", 47.8172, {"T0": 1}, 0.0),
    "eegmmi_s001/S001R04.edf": Opens(160, 20000, 64, MMI, "uV", 56.5652, TRIALS_A, 0.0),
    "eegmmi_s001/S001R05.edf": Opens(160, 20000, 64, MMI, "uV", 53.6004, TRIALS_A, 0.0),
    "eegmmi_s001/S001R06.edf": Opens(160, 20000, 64, MMI, "uV", 68.6628, TRIALS_B, 0.0),
    "eegmmi_s001/S001R08.edf": Opens(160, 20000, 64, MMI, "uV", 55.7467, TRIALS_A, 0.0),
    "eegmmi_s001/S001R09.edf": Opens(160, 20000, 64, MMI, "uV", 60.6787, TRIALS_A, 0.0),
    "eegmmi_s001/S001R10.edf": Opens(160, 20000, 64, MMI, "uV", 57.7846, TRIALS_B, 0.0),
    "formats/bdf/biosemi_16ch_256Hz.bdf": Opens(
        256, 15360, 16, ("A1", "A2", "A3"), "uV", 53.8706, {"255": 40}, 414 / 256
    ),
    "formats/blackrock/file_spec_3_0.nev": "Blackrock spikes and events are not read",
    "formats/blackrock/l101210-001.nev": "Blackrock spikes and events are not read",
    "formats/blackrock/l101210-001.ns2": "Blackrock continuous files are not read",
    "formats/blackrock/reset.nev": "Blackrock spikes and events are not read",
    "formats/blackrock/reset.ns2": "Blackrock continuous files are not read",
    "formats/brainvision/test.eeg": "open its .vhdr",
    "formats/brainvision/test.vhdr": Opens(
        1000, 7900, 26, ("FP1", "FP2", "F3"), "uV", 24.1571,
        {"Stimulus/S255": 5, "Event/254": 3, "Stimulus/S253": 2, "Response/R255": 1,
         "SyncStatus/Sync On": 1, "Optic/O  1": 1}, 0.486, says="stream = 'misc' reads them",
    ),
    "formats/brainvision/test.vmrk": "open its .vhdr",
    "formats/edf/edf+C.edf": Opens(
        256, 256, 2, ("ch1", "ch2"), "uV", 115175.0996, says="left out 1 channels (ch3)"
    ),
    "formats/eeglab/eeglab_data.fdt": "open its .set",
    "formats/eeglab/eeglab_data.set": Opens(
        128, 30504, 32, ("FPz", "EOG1", "F3"), "uV", 38.7394, {"square": 80, "rt": 74}, 1.0
    ),
    "formats/fif/sample_ecog_ieeg.fif": Opens(
        160, 113, 320, ("G1", "G2", "G3"), "uV", 29.5261, says="stream = 'seeg' reads them"
    ),
    "formats/muse/testmusemonitor.csv": "a row each 1.02 s; a Muse samples at 256 Hz",
    "formats/neuralynx/CSC1_trunc.Ncs": "give the folder that holds all of them",
    "formats/openbci/OpenBCI_GUI-v6-blinks-jawClench-alpha.txt": Opens(
        250, 22490, 8, ("EXG Channel 0", "EXG Channel 1"), "uV", 1901.130,
        says="left out 3 channels (Accel Channel 0",
    ),
    "formats/snirf/2021-04-23_005.snirf": "fNIRS is not read",
    "formats/spikeglx/snippet_g0_t0.imec0.lf.bin": "bare binary files (SpikeGLX, Open Ephys)",
    "formats/spikeglx/snippet_g0_t0.imec0.lf.meta": "this is the header of a SpikeGLX recording",
    "ssvep_exo/subject02/subject02_2012.07.19-17.41.14.gdf": Opens(
        256, 59456, 8, EXO, "uV", 0.0137081,
        {"32769": 1, "32779": 32, "32780": 32, "33024": 8, "33025": 8, "33026": 8, "33027": 8},
        5788 / 256, says=ODD_SIZE,
    ),
    **{
        f"ssvep_exo/{name}-eve.fif": "holds events, no samples"
        for name in (
            "subject03/subject03_2012.07.11-15.25.23", "subject03/subject03_2012.07.11-15.33.08",
            "subject04/subject04_2012.07.18-17.52.30", "subject04/subject04_2012.07.18-17.56.53",
        )
    },
    "ssvep_exo/subject03/subject03_2012.07.11-15.25.23_raw.fif": Opens(
        256, 59040, 8, EXO, "uV", 6995.951, EXO_CUES, 2947 / 256, says=ODD_SIZE
    ),
    "ssvep_exo/subject03/subject03_2012.07.11-15.33.08_raw.fif": Opens(
        256, 63040, 8, EXO, "uV", 7779.790, EXO_CUES, 3325 / 256, says=ODD_SIZE
    ),
    "ssvep_exo/subject04/subject04_2012.07.18-17.52.30_raw.fif": Opens(
        256, 63648, 8, EXO, "uV", 6857.816, EXO_CUES, 2809 / 256, says=ODD_SIZE
    ),
    "ssvep_exo/subject04/subject04_2012.07.18-17.56.53_raw.fif": Opens(
        256, 57120, 8, EXO, "uV", 7545.931, EXO_CUES, 4021 / 256, says=ODD_SIZE
    ),
    "xdf_lsl/clock_resets.xdf": Opens(
        100, 27815, 8, ("ch1", "ch2"), "1", 0.287902,
        {"Test-1-2-3": 39, "XXX": 33, "Testtest": 29, "Marker": 27, "Blah": 25, "Test": 22},
        812.92790421 - 810.02979176, 1, "came at 92.93 Hz"
    ),
    "xdf_lsl/empty_streams.xdf": Opens(1, 10, 1, ("ch:00",), "1", 2.872281, {'{"state": 2}': 1}),
    "xdf_lsl/minimal.xdf": Opens(10, 9, 3, ("ch1", "ch2", "ch3"), "1", 56.10704,
        {"Hello": 2, "World": 2, "from": 2, "LSL": 2, FOOTER: 1}, 0.1),
    "xdf_lsl/switch_example.xdf": Opens(256, 34320, 16, ("F3", "Fz"), "uV", 57.346916,
        {"switch,3,2,2": 20, "switch,3,1,2": 15, "switch,3,0,2": 15, "Trial Started": 10,
         "Trial Ends": 10, "Training Complete": 1}, 1222198.60820139 - 1222188.23153211),
}  # fmt: skip


def test_no_file_is_forgotten(shared_data: Path) -> None:
    there = {
        path.relative_to(shared_data).as_posix()
        for folder in FOLDERS
        for path in (shared_data / folder).rglob("*")
        if path.is_file() and path.suffix != ".md"
    }
    assert there == set(FILES)


@pytest.mark.parametrize("name", [name for name, what in FILES.items() if isinstance(what, str)])
def test_refused_with_the_reason(shared_data: Path, name: str) -> None:
    reason = FILES[name]
    assert isinstance(reason, str)
    with pytest.raises(DeviceRefused) as refused:
        Recording(str(shared_data / name)).open()
    assert reason in str(refused.value)
    assert name in str(refused.value)


@pytest.mark.parametrize("name", [name for name, what in FILES.items() if isinstance(what, Opens)])
def test_opens_as_it_is(shared_data: Path, name: str) -> None:
    expected = FILES[name]
    assert isinstance(expected, Opens)
    with Recording(str(shared_data / name), speed=math.inf, chunk_s=5.0).open() as stream:
        signal = stream.signal
        assert (signal.rate_hz, signal.n_channels, signal.unit) == (
            expected.rate_hz,
            expected.n_channels,
            expected.unit,
        )
        assert signal.channels[: len(expected.first_channels)] == expected.first_channels
        assert expected.says in " ".join(stream.notes)
        first_s, columns, markers, n_gaps = math.nan, [], [], 0
        while True:
            try:
                chunk = stream.read(0.0)
            except EndOfStream:
                break
            assert chunk is not None
            first_s = chunk.times[0] if not columns else first_s
            columns.append(chunk.values[:, 0].copy())
            n_gaps += chunk.gap
            markers += stream.take_markers()
    values = np.concatenate(columns)
    assert len(values) == expected.n_samples
    assert np.std(values, dtype=np.float64) == pytest.approx(expected.deviation, rel=1e-4)
    assert n_gaps == expected.n_gaps
    assert Counter(marker.label for marker in markers) == expected.markers
    if expected.first_marker_s is not None:
        assert markers[0].time_s - first_s == pytest.approx(expected.first_marker_s, abs=1e-6)
