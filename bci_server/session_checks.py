"""What the sections of a session file ask of each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bci_server.mapping import Commands
from bci_server.safety.limits import Safety
from bci_server.sections import Problems, Section
from decoders.deciding.speller import Speller
from decoders.deciding.trials import Trials
from decoders.deciding.uncued import Uncued
from decoders.speech.language import Language

__all__ = ["check_commands", "check_neutral", "check_speech", "check_speller"]

_NOT_FOR_SPEECH = {
    "trials": "a decoder of speech learns from [sentences], not from trials: remove this section",
    "probabilities": "phonemes are weighed by the [language], not by this: remove this section",
    "uncued": "a decoder of speech needs no cue: remove this section",
    "speller": "a decoder of speech spells by itself: remove this section",
    "target": "a decoder of speech learns from [sentences], not from values: remove this section",
}
_FOR_SPEECH = {
    "sentences": "only a decoder of speech learns from sentences; this one learns from [trials] or "
    "a [target]: remove this section",
    "language": "only a decoder of speech gives phonemes to make words of: remove this section, or "
    'take kind = "speech" under [decoder]',
}


def check_speech(decoder: Any, document: Mapping[str, Any], problems: Problems) -> None:
    """Refuse sections that a decoder of speech has no use for, and those of speech elsewhere."""
    if decoder is None:
        return
    refused = _NOT_FOR_SPEECH if decoder.task == "speech" else _FOR_SPEECH
    for name, why in refused.items():
        if name in document:
            problems.add(Section(name), why)


def check_speller(
    speller: Speller, trials: Trials | None, uncued: Uncued | None, problems: Problems
) -> None:
    """Check that its targets are of the trials, and that they are cued."""
    if uncued is not None:
        problems.add(Section("speller"), "characters are not spelled without cues: remove [uncued]")
    if trials is None or speller.target not in trials.classes:
        known = "no [trials]" if trials is None else ", ".join(trials.classes)
        problems.add(
            Section("speller"),
            f"target = {speller.target!r} must be a class of [trials]; there is {known}",
        )
    elif trials.stop_error:
        problems.add(
            Section("speller"), "a flash is not decided early: move stop_error from [trials] here"
        )


def check_commands(
    commands: Commands,
    decoder: Any,
    trials: Trials | None,
    language: Language | None,
    problems: Problems,
) -> None:
    """Check that the decoder says what commands follow from."""
    _check_words(commands, decoder, language, problems)
    if decoder is not None and decoder.task == "continuous":
        problems.add(Section("commands"), "the decoder gives commands itself; remove this section")
    elif trials is not None and (odd := [c for c in commands.values if c not in trials.classes]):
        known = ", ".join(trials.classes)
        problems.add(
            Section("commands"), f"no trial has the class {', '.join(odd)}; there is: {known}"
        )


def check_neutral(
    safety: Safety, commands: Commands | None, decoder: Any, problems: Problems
) -> None:
    """Check that the effector's neutral is one of its kind."""
    if safety.neutral != "open" or decoder is None:
        return
    mode = None if commands is None else commands.mode
    if mode is None and decoder.task == "continuous":
        mode = getattr(decoder, "mode", "velocity")
    if mode == "grasp":
        return
    given = "it gives no commands" if mode is None else f'its commands have mode = "{mode}"'
    problems.add(
        Section("safety"),
        f'neutral = "open" is of a grasp, and {given}: remove it; neutral brakes a velocity to '
        "zero, holds a position, and is no click",
        "neutral",
    )


def _check_words(
    commands: Commands, decoder: Any, language: Language | None, problems: Problems
) -> None:
    is_speech = decoder is not None and decoder.task == "speech"
    if is_speech and (commands.on != "words" or language is None):
        problems.add(
            Section("commands"),
            'a decoder of speech commands by words: set on = "words", and add [language]',
        )
    elif decoder is not None and not is_speech and commands.on == "words":
        problems.add(
            Section("commands"),
            'only a decoder of speech says words: set on = "probabilities" or "decisions"',
            "on",
        )
