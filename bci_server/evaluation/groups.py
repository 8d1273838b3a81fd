"""Whose a recording is, and of which session: read from its name, as BIDS writes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from decoders.stage import Mismatch
from devices.device import Device

__all__ = ["By", "Source", "folds", "numbered", "source_of"]

By = Literal["recording", "session", "person"]

_PERSON = r"(?:^|[/_])sub-([0-9A-Za-z]+)"
_SESSION = r"(?:^|[/_])ses-([0-9A-Za-z]+)"


@dataclass(frozen=True, slots=True)
class Source:
    """One recording, and whose it is.

    Parameters
    ----------
    device
        What is read; it comes to an end.
    name
        Of the recording.
    person, session
        Empty where nothing says.
    """

    device: Device
    name: str
    person: str = ""
    session: str = ""

    def key(self, by: By) -> str:
        """Return what it is left out with.

        Raises
        ------
        Mismatch
            Nothing says whose it is, or of which session.
        """
        if by == "recording":
            return self.name
        if by == "person":
            return self._named("person", self.person)
        session = self._named("session", self.session)
        return f"{self.person} {session}".strip()

    def _named(self, what: str, found: str) -> str:
        if not found:
            entity = "sub-…" if what == "person" else "ses-…"
            raise Mismatch(
                f"{self.name} does not say which {what} it is of: there is no {entity} in its "
                f"path. Say where it stands with --{what}-pattern, a regular expression"
            )
        return found


def source_of(device: Device, file: Path, person: str = "", session: str = "") -> Source:
    """Return the recording `file` with what its path says.

    Parameters
    ----------
    device
        What reads it.
    file
        Its path.
    person, session
        Regular expressions; their first group, or else the whole of what they find, is the name.
        Empty: BIDS' ``sub-`` and ``ses-``.

    Raises
    ------
    Mismatch
        One of them is no regular expression.
    """
    path = file.as_posix()
    found_person = _find("person", person or _PERSON, path)
    return Source(device, path, found_person, _find("session", session or _SESSION, path))


def numbered(sources: Sequence[Source]) -> list[int]:
    """Return the number of each recording's session, in the order that sessions first appear.

    A recording that does not say which it is of is one of its own.
    """
    keys = [
        ("session", s.person, s.session) if s.session else ("recording", s.name) for s in sources
    ]
    order = list(dict.fromkeys(keys))
    return [order.index(key) for key in keys]


def _find(what: str, pattern: str, path: str) -> str:
    try:
        found = list(re.finditer(pattern, path))
    except re.error as e:
        raise Mismatch(f"--{what}-pattern {pattern!r} is no regular expression: {e}") from e
    if not found:
        return ""
    last = found[-1]  # the file's own name says it better than its folders
    return str(last[1] if last.re.groups else last[0])


def folds(sources: Sequence[Source], by: By) -> list[tuple[str, list[Source], list[Source]]]:
    """Return, for each thing to leave out, its name, its recordings, and those to fit on.

    A person is left out against all others; a session, or a recording, against the others of the
    same person.

    Raises
    ------
    Mismatch
        There is nothing else to fit on.
    """
    keys = [source.key(by) for source in sources]
    found = []
    for key in dict.fromkeys(keys):
        left_out = [s for s, k in zip(sources, keys, strict=True) if k == key]
        rest = [
            s
            for s, k in zip(sources, keys, strict=True)
            if k != key and (by == "person" or s.person == left_out[0].person)
        ]
        if not rest:
            raise Mismatch(
                f"nothing is left to fit on when {by} {key!r} is left out; name recordings of "
                f"another {by}" + ("" if by == "person" else " of the same person")
            )
        found.append((key, left_out, rest))
    return found
