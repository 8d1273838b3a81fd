"""Every format that MNE-Python opens: EDF, BDF, GDF, BrainVision, FIF, EEGLAB, Neuralynx and more.

Samples stay in the file (``preload=False``). Channels are grouped by what MNE says they are and by
unit; the first group of `_PREFERENCE` is what a decoder wants. MNE gives volts, whatever the file's
unit; here voltages are µV.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from devices.device import DeviceRefused
from devices.recording.edf import EdfHeader, EdfHoles, check_gdf, read_edf_header, read_edf_holes
from devices.recording.mne_errors import asking_mne
from devices.recording.mne_markers import annotated_events, break_samples, stim_events
from devices.recording.sidecars import find_sidecar, read_sidecar
from devices.recording.track import RecordingFile, RegularTrack
from devices.signal import Marker, Signal
from devices.units import NO_UNIT, canonical, standard

if TYPE_CHECKING:
    from mne.io import BaseRaw

__all__ = ["open_file"]

#: What a decoder most likely wants, first; in MNE's words.
_PREFERENCE = ("eeg", "ecog", "seeg", "dbs", "mag", "grad", "emg", "bio", "misc")

_FIFF_UNIT_V = 107
#: FIFF unit codes (``mne._fiff.constants``) of what is not a voltage.
_OTHER_UNITS = {112: "T", 201: "T/m", 6: "M", 114: "degC", 111: "S"}

#: EEGLAB's samples inside the .set are one MATLAB matrix, which can only be loaded whole.
_MAX_WHOLE_BYTES = 64 * 2**20


class _MneTrack(RegularTrack):
    def __init__(self, path: Path, raw: BaseRaw, picks: NDArray[np.intp], **about: Any) -> None:
        super().__init__(**about)
        self._path = path
        self._raw = raw
        self._picks = picks

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return samples `first` up to but without `stop`, (stop - first, n_channels)."""
        out = np.empty((stop - first, len(self._picks)), np.float32)
        with asking_mne(self._path), np.errstate(all="ignore"):  # whoever plays counts what is bad
            values = self._raw[self._picks, first:stop][0]
            np.multiply(values.T, self.scale, out=out, casting="same_kind")
        return out

    def stored(self, first: int, stop: int) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
        """Return what MNE gives, volts for voltages, and the factors; see `Track.stored`."""
        with asking_mne(self._path), np.errstate(all="ignore"):
            values: NDArray[np.float64] = self._raw[self._picks, first:stop][0].T
        return values, np.broadcast_to(self.scale, len(self._picks)).astype(np.float64)


def open_file(path: Path) -> RecordingFile:
    """Open what MNE opens.

    Raises
    ------
    DeviceRefused
        MNE cannot read it, it is cut short, or nothing in it can be decoded.
    """
    _refuse_what_must_be_loaded_whole(path)
    header = read_edf_header(path) if path.suffix.lower() in (".edf", ".bdf") else None
    if path.suffix.lower() == ".gdf":
        check_gdf(path)
    raw, notes = _open_raw(path, header)
    try:
        with asking_mne(path):
            return _describe(path, raw, header, notes)
    except BaseException:
        raw.close()
        raise


def _describe(
    path: Path, raw: BaseRaw, header: EdfHeader | None, notes: list[str]
) -> RecordingFile:
    holes = read_edf_holes(path, header) if header and header.discontinuous else None
    tracks = _tracks(path, raw, _blocks(raw, header, holes))
    if not tracks:
        raise DeviceRefused(f"{path} holds no signal; its only channels: {', '.join(raw.ch_names)}")
    return RecordingFile(
        path=path,
        tracks=tuple(tracks),
        default=tracks[0],
        markers=_markers(raw, path, tracks[0], holes),
        first_sample=raw.first_samp,
        notes=tuple(notes),
        close=raw.close,
    )


def _refuse_what_must_be_loaded_whole(path: Path) -> None:
    if path.suffix.lower() != ".set" or path.with_suffix(".fdt").is_file():
        return
    if path.stat().st_size > _MAX_WHOLE_BYTES:
        raise DeviceRefused(
            f"{path} holds its samples inside the .set ({path.stat().st_size >> 20} MiB), which "
            "can only be loaded whole; save it from EEGLAB as two files (.set and .fdt), or as EDF"
        )


def _open_raw(path: Path, header: EdfHeader | None) -> tuple[BaseRaw, list[str]]:
    import mne

    options: dict[str, Any] = {}
    notes: list[str] = []
    if header is not None:
        kept, left_out = header.of_commonest_rate()
        if left_out:  # MNE would resample them, differently for each cut
            options["include"] = kept
            notes.append(f"left out channels of other rates than most: {', '.join(left_out)}")
    with asking_mne(path), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read = mne.io.read_raw if path.suffix else mne.io.read_raw_neuralynx
        raw = read(path, preload=False, verbose="WARNING", **options)
    return raw, notes + [" ".join(str(warning.message).split()) for warning in said]


def _tracks(
    path: Path, raw: BaseRaw, blocks: tuple[NDArray[np.int64], NDArray[np.float64]]
) -> list[_MneTrack]:
    groups: dict[tuple[str, str], list[int]] = {}
    for index, kind in enumerate(raw.get_channel_types()):
        if kind != "stim":
            groups.setdefault(_kind_and_unit(raw, index, kind), []).append(index)
    tracks: list[_MneTrack] = []
    for kind, unit in sorted(groups, key=_rank):
        picks = groups[kind, unit]
        names = {track.name for track in tracks}
        tracks.append(
            _MneTrack(
                path,
                raw,
                np.array(picks),
                name=f"{kind} [{unit}]" if kind in names else kind,
                kind=kind,
                signal=Signal(float(raw.info["sfreq"]), _channel_names(raw, picks), unit),
                stated_unit=_stated_unit(raw, picks, unit),
                scale=1e6 if unit == "uV" else 1.0,
                n_samples=raw.n_times,
                block_starts=blocks[0],
                block_times=blocks[1],
            )
        )
    return tracks


def _rank(kind_and_unit: tuple[str, str]) -> tuple[int, bool, str]:
    kind, unit = kind_and_unit
    position = _PREFERENCE.index(kind) if kind in _PREFERENCE else len(_PREFERENCE)
    return position, unit != "uV", kind + unit


def _kind_and_unit(raw: BaseRaw, index: int, kind: str) -> tuple[str, str]:
    stated = _orig_unit(raw, index)
    code = int(raw.info["chs"][index]["unit"])
    if code != _FIFF_UNIT_V:
        return kind, _OTHER_UNITS.get(code, canonical(stated))
    unit, _ = standard(stated or "V")
    return ("misc" if unit not in ("uV", NO_UNIT) else kind), unit  # MNE takes all for volts


def _orig_unit(raw: BaseRaw, index: int) -> str:
    return str(raw._orig_units.get(raw.ch_names[index], ""))


def _stated_unit(raw: BaseRaw, picks: Sequence[int], unit: str) -> str:
    stated = {_orig_unit(raw, index) or ("V" if unit == "uV" else unit) for index in picks}
    return canonical(stated.pop()) if len(stated) == 1 else unit


def _channel_names(raw: BaseRaw, picks: Sequence[int]) -> tuple[str, ...]:
    names = [raw.ch_names[index] for index in picks]
    bare = [name.rstrip(".") for name in names]  # EDF files pad labels: "C3.."
    return tuple(bare if all(bare) and len(set(bare)) == len(bare) else names)


def _blocks(
    raw: BaseRaw, header: EdfHeader | None, holes: EdfHoles | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the first samples and the times of the stretches without a hole."""
    rate_hz = float(raw.info["sfreq"])
    if header is not None and holes is not None:
        times = holes.record_times
        late = np.abs(np.diff(times) - header.record_s) > 0.5 / rate_hz
        records = np.concatenate([[0], np.flatnonzero(late) + 1])
        return records * round(header.record_s * rate_hz), times[records]
    starts = np.concatenate([np.zeros(1, np.int64), break_samples(raw)])
    return starts, starts / rate_hz


def _markers(
    raw: BaseRaw, path: Path, track: _MneTrack, holes: EdfHoles | None
) -> dict[str, tuple[Marker, ...]]:
    """Return the lists of markers; a sidecar comes before annotations, these before triggers."""
    lists: dict[str, list[Marker]] = {}
    if sidecar := find_sidecar(path):
        lists[sidecar.name] = _at(
            track, read_sidecar(sidecar, track.signal.rate_hz, raw.first_samp)
        )
    if holes is not None:
        lists["annotations"] = [
            Marker(track.snap(time_s), text) for time_s, text in holes.annotations
        ]
    elif noted := annotated_events(raw):
        lists["annotations"] = _at(track, noted)
    name, events = stim_events(raw)
    if name:
        lists[name] = _at(track, events)
    return {
        name: tuple(sorted(markers, key=lambda marker: marker.time_s))
        for name, markers in lists.items()
    }


def _at(track: _MneTrack, events: list[tuple[int, str]]) -> list[Marker]:
    """Give each event the very time of its sample."""
    return [Marker(track.time_of(sample), label) for sample, label in events]
