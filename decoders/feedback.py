"""Feedback in the text of a marker, so that whoever can send LSL markers can say it.

::

    feedback:KIND
    feedback:KIND:LABEL
    feedback:KIND:LABEL:V1,V2,…

``feedback:target:up:0.1,-0.05`` is a target named up at (0.1, -0.05); ``feedback:label:left`` says
that left was meant; ``feedback:reward::1`` rewards; ``feedback:error`` says that the last decision
was wrong; ``feedback:position::0.02,0`` says where the effector is; ``feedback:adapt:off`` and
``feedback:adapt:rollback:3`` switch the adaptation. Of a decoder of speech are asked, each a label
of the kind ``speech``: ``finalize`` (what was said is complete), ``reset`` (forget it), ``wrong``
(the last sentence was not that) or ``wrong THE RIGHT WORDS``, and ``word NAME`` or ``word NAME K AH
…`` with phonemes (a new word). A text of any other form is a plain marker.
"""

from __future__ import annotations

import math
from typing import cast, get_args

from devices.signal import Event, EventKind
from devices.speech.phonemes import PHONEMES

__all__ = ["event_of", "problem_with"]

_PREFIX = "feedback"
_SPEECH = "feedback:speech:"  # words may hold a colon
_KINDS = frozenset(get_args(EventKind)) - {"marker"}
_MOST_PARTS = 4
_LARGEST = 1e12


def event_of(sample: int, text: str) -> Event:
    """Return what a marker's text says, bound to `sample`."""
    parts = text.split(":", 2 if text.startswith(_SPEECH) else -1)
    if parts[0] != _PREFIX or not 2 <= len(parts) <= _MOST_PARTS or parts[1] not in _KINDS:
        return Event(sample, text)
    label, listed = (*parts[2:], "", "")[:2]
    try:
        values = tuple(float(v) for v in listed.split(",")) if listed else ()
    except ValueError:
        return Event(sample, text)
    kind = cast(EventKind, parts[1])
    if problem_with(kind, label, values):
        return Event(sample, text)
    return Event(sample, label, "device", kind, values)


def problem_with(kind: EventKind, label: str, values: tuple[float, ...]) -> str:
    """Return what is wrong with feedback of `kind`; empty if nothing is."""
    if not all(math.isfinite(v) and abs(v) <= _LARGEST for v in values):
        return f"the values of {kind} must be finite, and at most {_LARGEST:g}, not {list(values)}"
    match kind:
        case "target" if not label and not values:
            return "a target needs a label, or values: where it is"
        case "label" if not label and not values:
            return "a label needs a label: the class that was meant, or values: what was meant"
        case "reward" if len(values) != 1:
            return f"a reward is one number; it has {len(values)} values"
        case "position" if not values:
            return "a position needs values: where the effector is"
        case "adapt" if label not in ("on", "off", "rollback", "recalibrate"):
            return f"adapt is on, off, rollback or recalibrate, not {label!r}"
        case "adapt" if label == "rollback" and not _is_version(values):
            return "rollback needs one value: the number of a version"
        case "speech":
            return _problem_with_speech(label)
    return ""


def _problem_with_speech(label: str) -> str:
    verb, _, rest = label.partition(" ")
    if verb not in ("finalize", "reset", "wrong", "word"):
        return f"speech is finalize, reset, wrong or word, not {verb!r}"
    if verb == "word" and not rest.strip():
        return "a new word needs its spelling: word NAME"
    if verb == "word" and (odd := [p for p in rest.split()[1:] if p not in PHONEMES]):
        return f"a word is spelled in phonemes of ARPAbet, not {', '.join(odd)}"
    return ""


def _is_version(values: tuple[float, ...]) -> bool:
    return len(values) == 1 and values[0] >= 0 and values[0] == int(values[0])
