"""The folder of a model: read whole or refused, written all or nothing."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ArtifactError", "read_folder", "write_folder"]

_MANIFEST = "manifest.json"
_WEIGHTS = "weights.safetensors"
_FILES = {_MANIFEST, _WEIGHTS}


class ArtifactError(Exception):
    """A folder is not a whole, unharmed model that this version reads; says why."""


def read_folder(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return the manifest and the bytes of the weights.

    Raises
    ------
    ArtifactError
        There is no such folder, a file is missing or too many, or the manifest is no JSON object.
    """
    if not folder.is_dir():
        raise ArtifactError(f"there is no model at {folder}; make one with `bci calibrate`")
    found = {entry.name for entry in folder.iterdir()}
    if missing := sorted(_FILES - found):
        raise ArtifactError(f"{folder} is no whole model: it lacks {', '.join(missing)}")
    if extra := sorted(found - _FILES):
        raise ArtifactError(f"{folder} holds files that are no part of a model: {', '.join(extra)}")
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        weights = (folder / _WEIGHTS).read_bytes()
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{folder} cannot be read: {error}") from error
    if not isinstance(manifest, dict):
        raise ArtifactError(f"{folder}/{_MANIFEST} is no JSON object")
    return manifest, weights


def write_folder(
    folder: Path, manifest: Mapping[str, Any], weights: bytes, *, replace: bool
) -> None:
    """Write a folder beside, flush it to the disk, and rename it into place.

    Raises
    ------
    ArtifactError
        The folder exists and is not to be replaced (or is no model), or the disk refuses.
    """
    if folder.exists():
        _check_replaceable(folder, replace)
    new = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.new"
    old = new.with_suffix(".old")
    try:
        new.mkdir(parents=True)
        _write(new / _MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
        _write(new / _WEIGHTS, weights)
        _flush(new)
        _swap(folder, new, old)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        raise ArtifactError(f"the model cannot be written to {folder}: {error}") from error


def _swap(folder: Path, new: Path, old: Path) -> None:
    """Put `new` in the place of `folder`; what was there goes only once `new` stands."""
    was_there = folder.exists()
    if was_there:
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if was_there:
            old.rename(folder)
        raise
    _flush(folder.parent)
    if was_there:
        shutil.rmtree(old)


def _check_replaceable(folder: Path, replace: bool) -> None:
    if not replace:
        raise ArtifactError(f"there is a model at {folder} already; say so if it is to be replaced")
    if not folder.is_dir() or {entry.name for entry in folder.iterdir()} - _FILES:
        raise ArtifactError(f"{folder} is no model, so it is not replaced")


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
