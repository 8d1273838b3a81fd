"""Weights that were made beside a running session, kept beside its model: for replays.

``MODEL.versions/HASH.safetensors`` holds the arrays in which a version differs from the model; it
is named by the hash of the whole weights. A recording of the session says at which sample which
hash came.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.adapting.versions import weights_hash
from decoders.decoder import Weights
from decoders.storage import ArtifactError

__all__ = ["VersionFolder"]

_SUFFIX = ".safetensors"


class VersionFolder(Mapping[str, Weights]):
    """The changed arrays of each version, by its hash; read when they are asked for.

    Parameters
    ----------
    model
        Folder of the model.
    weights
        The model's.

    Attributes
    ----------
    folder
        Where they are.
    missing
        Hashes that were asked for and are not there, in this order.
    """

    def __init__(self, model: Path, weights: Weights) -> None:
        self.folder = model.with_name(f"{model.name}.versions")
        self.missing: list[str] = []
        self._weights = weights

    def __getitem__(self, name: str) -> Weights:
        """Return the arrays that `name` changes.

        Raises
        ------
        KeyError
            There is no such file.
        ArtifactError
            It does not hold what its name says: it is harmed, or another model stands here now.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = self._file(name)
        if not file.exists():
            self.missing.append(name)
            raise KeyError(name)
        try:
            changed: dict[str, NDArray[Any]] = load_file(file)
        except (OSError, SafetensorError) as error:
            raise ArtifactError(f"{file} cannot be read: {error}") from error
        if (found := weights_hash({**self._weights, **changed})) != name:
            raise ArtifactError(
                f"{file} and the model beside it together have the hash {found}: the file is "
                "harmed, or the model is another one"
            )
        for array in changed.values():
            array.flags.writeable = False
        return changed

    def __iter__(self) -> Iterator[str]:
        """Go through the hashes."""
        return (file.stem for file in sorted(self.folder.glob(f"*{_SUFFIX}")))

    def __len__(self) -> int:
        """Count them."""
        return sum(1 for _ in self)

    def keep(self, changed: Weights) -> str:
        """Write a version, all or nothing, and return its hash.

        Raises
        ------
        OSError
            It cannot be written.
        """
        from safetensors.numpy import save

        name = weights_hash({**self._weights, **changed})
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self._file(name).with_suffix(".new")
        with new.open("wb") as file:
            file.write(save({n: np.ascontiguousarray(a) for n, a in changed.items()}))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._file(name))
        return name

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"
