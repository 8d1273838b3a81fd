"""Is an audit log as it was written? Walks its chain; says where it breaks, and how it ends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from bci_server.safety.audit import FIRST

__all__ = ["AuditReport", "check_audit"]

_HASH_BYTES = len(b',"hash":"') + 64 + len(b'"}')


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was found in one log.

    Parameters
    ----------
    path
        The file.
    verdict
        ``"whole"``: every line is as it was written, and the run ended in good order.
        ``"unfinished"``: every whole line is; the run was cut off. ``"broken"``: a line was
        changed, removed or inserted.
    why
        What is wrong, and at which line, counted from 1.
    n_lines
        Lines that are as they were written.
    torn_bytes
        Length of a last line that was cut off.
    last_hash
        Of the last line that is as it was written.
    about
        What the first line says.
    transitions
        How often the session came to be in each state.
    last_state
        Where it was last.
    n_stimuli
        Trains of pulses that were ordered.
    """

    path: str
    verdict: Literal["whole", "unfinished", "broken"]
    why: str
    n_lines: int
    torn_bytes: int
    last_hash: str
    about: dict[str, Any]
    transitions: dict[str, int]
    last_state: str
    n_stimuli: int = 0


def check_audit(path: Path) -> AuditReport:
    """Check a log from its first line to its last.

    Raises
    ------
    OSError
        It cannot be read.
    """
    lines = path.read_bytes().split(b"\n")
    torn = len(lines.pop())
    about: dict[str, Any] = {}
    transitions: dict[str, int] = {}
    prev, why, last_state, is_ended, n, n_stimuli = FIRST, "", "disarmed", False, 0, 0
    for n, line in enumerate(lines):
        content = _content(line, n, prev)
        if isinstance(content, str):
            why = f"line {n + 1} {content}"
            break
        prev = content["hash"]
        if n == 0:
            about = {k: v for k, v in content.items() if k not in ("n", "prev", "hash", "event")}
        if content.get("event") == "transition":
            last_state = str(content.get("state"))
            transitions[last_state] = transitions.get(last_state, 0) + 1
        n_stimuli += content.get("event") == "stimulus" and bool(content.get("electrode"))
        is_ended = content.get("event") == "end"
    else:
        n = len(lines)
    if not why and not lines:
        why = "no line is whole"
    verdict: Literal["whole", "unfinished", "broken"] = "broken"
    if not why:
        verdict = "whole" if is_ended and not torn else "unfinished"
        why = "" if verdict == "whole" else _how_cut(torn)
    return AuditReport(
        str(path), verdict, why, n, torn, prev, about, transitions, last_state, n_stimuli
    )


def _content(line: bytes, n: int, prev: str) -> dict[str, Any] | str:
    """Return what a line says, or what is wrong with it."""
    try:
        content = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "is not a line of an audit log"
    body = line[:-_HASH_BYTES] + b"}"
    if content.get("hash") != hashlib.sha256(body).hexdigest():
        return "was changed: its hash is another"
    if content.get("n") != n or content.get("prev") != prev:
        return "does not follow the line before it: lines were removed, inserted or moved"
    return content


def _how_cut(torn: int) -> str:
    if torn:
        return f"the last line was cut off after {torn} bytes: the run did not end in good order"
    return "there is no last line that says so: the run did not end in good order"
