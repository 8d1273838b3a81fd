"""What MNE raises at a file that is not what its ending promises, said for the file's owner."""

from __future__ import annotations

import configparser
import struct
from pathlib import Path
from types import TracebackType

from devices.device import DeviceRefused

__all__ = ["asking_mne"]

# Its readers parse by hand, so whatever can go wrong in parsing surfaces.
_KINDS = (
    ValueError,
    RuntimeError,
    OSError,
    LookupError,
    AssertionError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    ImportError,
    struct.error,
    configparser.Error,
)


class asking_mne:
    """Turn what MNE raises into a refusal of the file; everything else passes.

    Parameters
    ----------
    path
        The recording.

    Raises
    ------
    DeviceRefused
        In the place of MNE's error, which it names.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # FIF's reader raises Exception itself, which nobody else here does.
        if error is None or not (kind is Exception or isinstance(error, _KINDS)):
            return
        if isinstance(error, ImportError):
            raise DeviceRefused(
                f"{self._path} needs a package that is not installed: {error}"
            ) from error
        what = f"{self._path.suffix} file" if self._path.suffix else "Neuralynx folder"
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise DeviceRefused(f"{self._path} cannot be read as {what}; MNE says: {reason}") from error
