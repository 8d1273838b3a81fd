"""What is known of a recording beside its samples: who, what, with which device, when.

Taken from the header of the file, the BIDS entities in its name (``sub-P01_ses-01_task-rest_…``)
and the BIDS sidecar beside it (``…_eeg.json``), in this order. The words are those of BIDS and of
the metadata that IEEE P2731 asks for.

Sources: BIDS 1.10, "Entities" and "EEG"; https://github.com/sccn/xdf/wiki/EEG-Meta-Data;
IEEE P2731, "BCI data storage".
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from devices.device import DeviceRefused
from devices.recording.formats import ENDINGS, ending_of
from devices.recording.mne_errors import asking_mne
from devices.recording.xdf_chunks import DamagedChunk, parse_xml
from devices.recording.xdf_format import Tag
from devices.recording.xdf_heads import iterate_chunks

__all__ = ["About", "read_about"]

_ENTITY = re.compile(r"(?:^|_)(sub|ses|task|run)-([0-9A-Za-z]+)(?=_|\.)")
_ENTITY_FIELDS = {"sub": "participant", "ses": "session", "task": "task", "run": "run"}
_SIDECAR_FIELDS = {
    "TaskName": "task",
    "Manufacturer": "manufacturer",
    "ManufacturersModelName": "device",
    "DeviceSerialNumber": "serial",
    "EEGReference": "reference",
    "iEEGReference": "reference",
}
_LONGEST_SIDECAR = 1 << 20
_LONGEST_NOTES = 20_000

#: Where XDF streams say it, below ``desc``; the first that is there.
_XDF_PLACES = {
    "participant": ("bci/participant", "subject/id"),
    "name": ("subject/name",),
    "sex": ("subject/gender", "subject/sex"),
    "hand": ("subject/handedness",),
    "species": ("subject/species",),
    "consent": ("bci/consent", "subject/consent"),
    "manufacturer": ("acquisition/manufacturer", "manufacturer"),
    "device": ("acquisition/model", "model"),
    "serial": ("acquisition/serial_number", "serial_number"),
    "reference": ("reference/label",),
    "decoder": ("bci/decoder",),
    "model": ("bci/model",),
    "session_file": ("bci/session_file",),
}
_SEXES = {1: "M", 2: "F"}
_HANDS = {1: "R", 2: "L", 3: "A"}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known; empty where it is not.

    Parameters
    ----------
    participant
        The participant's code.
    name, birthday, sex, hand, species
        What some files say of the participant: sex ``M`` or ``F``, hand ``R``, ``L`` or ``A``,
        species in Latin.
    session, task, run
        As in BIDS.
    consent
        Which consent the participant gave.
    device, manufacturer, serial
        The amplifier: its model, who made it, which one it is.
    host
        Names of the computers that sent the samples.
    reference
        What potentials were measured against.
    decoder, model
        Kind of the decoder and hash of its model, in recordings of this server.
    session_file
        The session file's text, in recordings of this server.
    started_at
        Wall-clock time of the beginning.
    notes
        What else the header says in free text.
    """

    participant: str = ""
    name: str = ""
    birthday: date | None = None
    sex: str = ""
    hand: str = ""
    species: str = ""
    session: str = ""
    task: str = ""
    run: str = ""
    consent: str = ""
    device: str = ""
    manufacturer: str = ""
    serial: str = ""
    host: str = ""
    reference: str = ""
    decoder: str = ""
    model: str = ""
    session_file: str = ""
    started_at: datetime | None = None
    notes: str = ""


def read_about(path: Path | str) -> About:
    """Read what is known of a recording that `devices.recording.formats.open_recording` opens.

    Raises
    ------
    DeviceRefused
        The file, or the sidecar beside it, is damaged.
    OSError
        It cannot be read.
    """
    path = Path(path)
    if ending_of(path) == ".xdf":
        about = _of_xdf(path)
    elif ENDINGS.get(ending_of(path), "").endswith("mne_formats"):
        about = _of_mne(path)
    else:
        about = About()
    return _filled(_filled(about, _of_name(path)), _of_sidecar(path))


def _filled(about: About, more: About) -> About:
    """Return `about` with what it lacks taken from `more`."""
    lacking = [field.name for field in fields(About) if not getattr(about, field.name)]
    return replace(about, **{name: getattr(more, name) for name in lacking})


def _of_name(path: Path) -> About:
    found = dict(_ENTITY.findall(path.name))
    said: dict[str, Any] = {_ENTITY_FIELDS[entity]: label for entity, label in found.items()}
    return About(**said)


def _of_sidecar(path: Path) -> About:
    sidecar = path.with_name(path.name.removesuffix(ending_of(path)) + ".json")
    if sidecar == path or not sidecar.is_file() or sidecar.stat().st_size > _LONGEST_SIDECAR:
        return About()
    try:
        document = json.loads(sidecar.read_bytes())
    except (ValueError, RecursionError) as e:
        raise DeviceRefused(f"{sidecar}, beside the recording, is not JSON: {e}") from e
    if not isinstance(document, dict):
        raise DeviceRefused(f"{sidecar}, beside the recording, is no JSON object")
    said: dict[str, Any] = {
        field: value
        for key, field in _SIDECAR_FIELDS.items()
        if isinstance(value := document.get(key), str) and value.lower() != "n/a"
    }
    return About(**said)


def _of_xdf(path: Path) -> About:
    roots, started_at = [], None
    try:
        for tag, content in _xdf_headers(path):
            root = parse_xml(content)
            if tag == Tag.FILE_HEADER:
                started_at = _moment(root.findtext("datetime") or "")
            elif not (root.findtext("type") or "").startswith("bci."):
                roots.append(root)
    except DamagedChunk as e:
        raise DeviceRefused(f"{path}: a header is damaged: {e.why}") from e
    about = About(started_at=started_at)
    for root in roots:
        about = _filled(about, _of_stream(root))
    if any(root.find("desc/bci") is not None for root in roots):
        about = _filled(about, About(species="Homo sapiens"))  # this server's are of persons
    hosts = dict.fromkeys(host for root in roots if (host := _text(root, "hostname")))
    notes = "\n".join(dict.fromkeys(line for root in roots for line in _notes(root)))
    return replace(about, host=", ".join(hosts), notes=notes[:_LONGEST_NOTES])


def _xdf_headers(path: Path) -> Iterator[tuple[int, bytes]]:
    fd = os.open(path, os.O_RDONLY)
    try:
        for chunk in iterate_chunks(path, fd):
            if chunk.tag in (Tag.FILE_HEADER, Tag.STREAM_HEADER):
                yield chunk.tag, os.pread(fd, chunk.stop - chunk.content, chunk.content)
    finally:
        os.close(fd)


def _of_stream(root: Element) -> About:
    said: dict[str, Any] = {}
    for field, places in _XDF_PLACES.items():
        texts = (_text(root, f"desc/{place}") for place in places)
        said[field] = next((text for text in texts if text), "")
    if not said["serial"] and _text(root, "channel_format") != "string":
        said["serial"] = _text(root, "source_id")
    return About(**said)


def _text(root: Element, place: str) -> str:
    return (root.findtext(place) or "").strip()


def _notes(root: Element) -> Iterator[str]:
    """Yield "stream: place: text" for all that the header says and nothing else here takes in."""
    desc = root.find("desc")
    known = {place for places in _XDF_PLACES.values() for place in places}
    name = _text(root, "name")
    for child in [] if desc is None else desc:
        if child.tag in ("channels", "synchronization", "bci"):
            continue
        for place, text in _leaves(child, child.tag):
            if place not in known:
                yield f"{name}: {place}: {text}"


def _leaves(element: Element, place: str) -> Iterator[tuple[str, str]]:
    if text := (element.text or "").strip():
        yield place, text
    for child in element:
        yield from _leaves(child, f"{place}/{child.tag}")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:  # LabRecorder writes what the machine's locale made of it
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _of_mne(path: Path) -> About:
    import mne

    with asking_mne(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whoever opens it for its samples tells them
        read = mne.io.read_raw if path.suffix else mne.io.read_raw_neuralynx
        info = read(path, preload=False, verbose="ERROR").info
    subject = info["subject_info"] or {}
    device = info["device_info"] or {}
    birthday = subject.get("birthday")
    names = (subject.get(part) for part in ("first_name", "middle_name", "last_name"))
    return About(
        participant=_said(subject.get("his_id")),
        name=" ".join(filter(None, map(_said, names))),
        birthday=birthday if isinstance(birthday, date) else None,
        sex=_SEXES.get(subject.get("sex", 0), ""),
        hand=_HANDS.get(subject.get("hand", 0), ""),
        device=_said(device.get("model")),
        manufacturer=_said(device.get("type")),
        serial=_said(device.get("serial")),
        started_at=info["meas_date"],
        notes="\n".join(filter(None, (_said(info["description"]), _said(info["experimenter"])))),
    )


def _said(value: object) -> str:
    """Return a header's text; EDF writes X for what is not said."""
    text = "" if value is None else str(value).strip()
    return "" if text == "X" else text
