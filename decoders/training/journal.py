"""Where a training says how far it is, and keeps what it would need to go on after a kill."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from decoders.gathering import Progress

__all__ = ["SILENT", "Journal"]


@dataclass(frozen=True, slots=True)
class Journal:
    """What a training is given to write to.

    Parameters
    ----------
    folder
        Where checkpoints go, and are looked for at the start; it exists, and is of this recipe
        and these rows alone. None: there are none.
    progress
        Is told what is being done and which part of 1 is done.
    begin, end
        Which part of the whole work this training is.
    """

    folder: Path | None = None
    progress: Progress | None = None
    begin: float = 0.0
    end: float = 1.0

    def part(self, number: int, of: int) -> Journal:
        """Return the journal of the piece `number`, counted from 0, of `of` equal pieces."""
        length = (self.end - self.begin) / of
        begin = self.begin + number * length
        return Journal(self.folder, self.progress, begin, begin + length)

    def tell(self, what: str, done: float) -> None:
        """Say that the share `done` of this part is done."""
        if self.progress is not None:
            self.progress(what, self.begin + done * (self.end - self.begin))

    def file(self, name: str) -> Path | None:
        """Return where the checkpoint `name` is."""
        return None if self.folder is None else self.folder / f"{name}.safetensors"


SILENT = Journal()
"""Says nothing, and keeps nothing."""
