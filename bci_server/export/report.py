"""What an export says of itself: what survived, what the format could not hold, what was removed.

Errors::

    ExportError            all of them; the message is for the user
    ├── MissingExtra       a package is not installed; says what to install
    └── CannotHold         this format cannot hold this recording; says which one can
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CannotHold", "ExportError", "MissingExtra", "Report"]


class ExportError(Exception):
    """A recording cannot be exported; the message is for the user."""


class MissingExtra(ExportError):
    """A package is not installed."""


class CannotHold(ExportError):
    """The format cannot hold this recording."""


@dataclass(slots=True)
class Report:
    """What became of one recording.

    Parameters
    ----------
    source, target, format
        From where, to where, as what.
    exact
        What is in the new file exactly as it was.
    changed
        What is there, but not as it was; by how much.
    left_out
        What is not there.
    removed
        What `--anonymize` took away.
    look_through
        Texts of people's own that are still there: only a person can say whether they identify
        anybody.
    """

    source: str
    target: str
    format: str
    exact: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    look_through: list[str] = field(default_factory=list)
