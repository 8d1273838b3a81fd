"""Picks the reader of a recording by the ending of its name, and loads only that one."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from devices.device import DeviceNotFound, DeviceRefused
from devices.recording.track import RecordingFile

__all__ = ["ENDINGS", "open_recording"]

_MNE = "devices.recording.mne_formats"

#: Module that reads files of this ending (lower case). Each has ``open_file(path)``.
ENDINGS: dict[str, str] = dict.fromkeys(
    (
        *(".edf", ".bdf", ".gdf", ".vhdr", ".ahdr", ".fif", ".fif.gz", ".set", ".cnt", ".mff"),
        *(".cdt", ".con", ".sqd", ".ds", ".nxe", ".lay", ".eeg", ".data", ".mefd", ".nedf"),
    ),
    _MNE,
)
ENDINGS |= {
    ".xdf": "devices.recording.xdf",
    ".txt": "devices.recording.openbci",
    ".csv": "devices.recording.muse",
    ".csv.gz": "devices.recording.muse",
}

#: What is known but not read, and what to do about it.
_REFUSED: dict[str, str] = {
    ".vmrk": "this is the marker file of a BrainVision recording; open its .vhdr",
    ".fdt": "these are the bare samples of an EEGLAB recording; open its .set",
    ".nev": "Blackrock spikes and events are not read; bin them and write XDF",
    **{
        f".ns{n}": "Blackrock continuous files are not read (after a pause or a reset of its clock "
        "MNE loses samples); convert them to EDF, FIF or XDF"
        for n in range(1, 7)
    },
    ".ncs": "a single Neuralynx channel is not read; give the folder that holds all of them",
    ".nse": "Neuralynx spikes are not read",
    ".plx": "Plexon files are not read; convert them to EDF, FIF or XDF",
    ".pl2": "Plexon files are not read; convert them to EDF, FIF or XDF",
    ".trc": "Micromed files are not read; export them as EDF+ from SystemPLUS",
    ".bin": "bare binary files (SpikeGLX, Open Ephys) are not read; convert them to FIF or XDF",
    ".meta": "this is the header of a SpikeGLX recording; SpikeGLX is not read: "
    "convert it to EDF, FIF or XDF",
    ".dat": "BCI2000, Curry and Open Ephys .dat files are not read; convert them to EDF or FIF",
    ".xdfz": "unpack it first (gunzip), so that it can be read piece by piece",
    ".xdf.gz": "unpack it first (gunzip), so that it can be read piece by piece",
    ".snirf": "fNIRS is not read: its light intensities have to become haemoglobin first, "
    "for instance with MNE, saved as FIF",
    ".hdr": "fNIRS (NIRx) is not read: its light intensities have to become haemoglobin first, "
    "for instance with MNE, saved as FIF",
    ".nwb": "NWB is not read; convert it to FIF or XDF",
    ".mat": "MATLAB files have no fixed layout; convert it to FIF, EDF or XDF",
    ".npz": "NumPy files have no fixed layout; convert it to FIF, EDF or XDF",
}


def open_recording(path: Path | str) -> RecordingFile:
    """Open a recording of any format.

    Raises
    ------
    DeviceNotFound
        There is no such file.
    DeviceRefused
        Its format is not read, or it is damaged; says why and what to do.
    """
    path = Path(path)
    if not path.exists():
        raise DeviceNotFound(f"there is no file {path}")
    ending = ending_of(path)
    if path.name.lower().endswith(("-eve.fif", "_eve.fif")):
        raise DeviceRefused(f"{path} holds events, no samples; open the recording it belongs to")
    if ending == ".eeg" and path.with_suffix(".vhdr").is_file():
        raise DeviceRefused(
            f"{path} holds the bare samples of a BrainVision recording; open its .vhdr"
        )
    if ending in _REFUSED:
        raise DeviceRefused(f"{path} cannot be opened: {_REFUSED[ending]}")
    if ending not in ENDINGS:
        if path.is_dir() and any(entry.suffix.lower() == ".ncs" for entry in path.iterdir()):
            return _open_with(_MNE, path)  # Neuralynx: one file a channel
        if path.is_dir():
            raise DeviceRefused(f"{path} is a folder, and none that a format has; name a file")
        raise DeviceRefused(
            f"{path} has the ending {ending or '(none)'}, which no format has that is read; "
            f"those are {', '.join(sorted(ENDINGS))}"
        )
    if path.is_file() and path.stat().st_size == 0:
        raise DeviceRefused(f"{path} is empty")
    return _open_with(ENDINGS[ending], path)


def ending_of(path: Path) -> str:
    """Return the ending that tells the format, in lower case, such as ``.fif.gz``."""
    endings = [suffix.lower() for suffix in path.suffixes[-2:]]
    return "".join(endings) if endings[-1:] == [".gz"] else "".join(endings[-1:])


def _open_with(module: str, path: Path) -> RecordingFile:
    file: RecordingFile = import_module(module).open_file(path)
    return file
