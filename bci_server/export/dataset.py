"""A BIDS dataset that is there already, to which recordings are added.

The new ones are written beside it, into a copy in which the files of samples are links; so nothing
of the dataset changes until all of them are whole. Then the new files are put in, and last the
tables that list them (participants, scans), each in one step. Nothing else of it changes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bci_server.export.report import ExportError

__all__ = ["extending", "is_dataset"]

_GROWING = ("participants.tsv", "_scans.tsv")
"""Endings of the files that list what there is."""

_TEXTS = ("", ".tsv", ".json", ".md", ".txt", ".rst")
"""Endings of files that MNE-BIDS may write anew: through a link it would change the dataset's."""


def is_dataset(folder: Path) -> bool:
    """Say whether `folder` is the root of a BIDS dataset."""
    return (folder / "dataset_description.json").is_file()


@contextmanager
def extending(out: Path, place: Path) -> Iterator[None]:
    """Make `place` look like the dataset `out`; put what is new there into `out` at the end.

    Raises
    ------
    ExportError
        Somebody else has put in a file of the same name meanwhile.
    """
    shutil.copytree(out, place, copy_function=_stand_in)
    standing = {p for p in place.rglob("*") if p.is_file()}
    yield
    written = [p for p in sorted(place.rglob("*")) if p.is_file() and not p.is_symlink()]
    for file in written:
        target = out / file.relative_to(place)
        if file in standing:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            raise ExportError(f"{target} is there meanwhile, and nothing is overwritten; try again")
        os.rename(file, target)
    for file in standing:
        if file.name.endswith(_GROWING):
            os.replace(file, out / file.relative_to(place))


def _stand_in(source: str, target: str) -> None:
    if Path(source).suffix in _TEXTS:
        shutil.copy2(source, target)
    else:
        Path(target).symlink_to(Path(source).resolve())
