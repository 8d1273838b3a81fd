"""The sections of a session file, those of its own and those that are more than a recipe each.

Paths in them become relative to the file's folder, and what one leaves open follows from another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bci_server.recording.names import Record
from bci_server.safety.limits import Safety, default_ttl_ms
from bci_server.section_kinds import of_kind, recipe_of, table_of
from bci_server.sections import Problems, Section, build
from bci_server.session_checks import check_speech, check_speller
from decoders.adapting.adaptation import Adaptation
from decoders.deciding.probabilities import Probabilities
from decoders.deciding.speller import Speller
from decoders.deciding.trials import Trials
from decoders.deciding.uncued import Uncued
from decoders.lost_channels import LostChannels
from decoders.speech.language import Language
from decoders.speech.sentences import Sentences

__all__ = [
    "Blocks",
    "Outlet",
    "Target",
    "adaptation_of",
    "decoder_of",
    "name_of",
    "parts_of",
    "record_of",
    "safety_of",
]


@dataclass(frozen=True, slots=True)
class Blocks:
    """The ``[blocks]`` section: how samples are cut, and which channels go in."""

    hop_s: float
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.hop_s > 0:
            raise ValueError(f"hop_s must be positive, not {self.hop_s!r}")


@dataclass(frozen=True, slots=True)
class Target:
    """The ``[target]`` section: what a continuous decoder is fitted to.

    Parameters
    ----------
    stream
        The stream of a recording, or ``"truth"``, that holds it.
    channels
        Which of its channels, in this order; empty: all.
    """

    stream: str
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlet:
    """The ``[outlet]`` section: decoded outputs as streams for others.

    Parameters
    ----------
    lsl
        Publish what is decoded on LSL, see `bci_server.outlet`: ``<session>-commands`` and others.
    """

    lsl: bool = False


def name_of(name: object, problems: Problems) -> str:
    """Return the session's name; empty where there is none."""
    if not isinstance(name, str) or not name:
        problems.add(Section("name"), 'a session needs a name: name = "…" on the first line')
        return ""
    if len(name) > 64 or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        problems.add(
            Section("name"),
            f"{name!r} names URLs and files: use letters, digits, - and _, at most 64",
        )
    return name


def decoder_of(
    document: Mapping[str, Any], folder: Path, problems: Problems
) -> tuple[Any, Path | None]:
    """Return the decoder, and the folder of its weights; None for what is not there."""
    table = table_of(document, "decoder", problems)
    if table is None:
        if "decoder" not in document:
            problems.add(Section("decoder"), "the section is missing")
        return None, None
    model = table.pop("model", None)
    decoder = of_kind(table, "decoders", Section("decoder"), problems)
    if not isinstance(model, str) or not model:
        problems.add(
            Section("decoder"), 'needs model = "…": the folder of its fitted weights', "model"
        )
        return decoder, None
    return decoder, folder / Path(model).expanduser()


def parts_of(
    document: Mapping[str, Any], folder: Path, decoder: Any, problems: Problems
) -> dict[str, Any]:
    """Return what a pipeline has beside its stages, by the names that it has there."""
    lost_channels = recipe_of(document, "lost_channels", LostChannels, problems)
    trials = recipe_of(document, "trials", Trials, problems)
    probabilities = recipe_of(document, "probabilities", Probabilities, problems)
    uncued = recipe_of(document, "uncued", Uncued, problems)
    speller = recipe_of(document, "speller", Speller, problems)
    if speller is not None:
        check_speller(speller, trials, uncued, problems)
    sentences = recipe_of(document, "sentences", Sentences, problems)
    language = _language(document, folder, problems)
    if decoder is not None and decoder.task == "speech":
        sentences = sentences or Sentences()
    check_speech(decoder, document, problems)
    return {
        "lost_channels": lost_channels,
        "trials": trials,
        "probabilities": probabilities,
        "uncued": uncued,
        "speller": speller,
        "sentences": sentences,
        "language": language,
    }


def safety_of(
    document: Mapping[str, Any], blocks: Blocks | None, folder: Path, problems: Problems
) -> Safety:
    """Return the limits: `ttl_ms` follows from the hop where the file does not say it."""
    table = table_of(document, "safety", Problems("")) or {}
    safety = recipe_of(document, "safety", Safety, problems) or Safety()
    if blocks is not None and "ttl_ms" not in table:
        safety = replace(safety, ttl_ms=default_ttl_ms(blocks.hop_s))
    elif blocks is not None and safety.ttl_ms <= 1e3 * blocks.hop_s:
        problems.add(
            Section("safety"),
            f"ttl_ms = {safety.ttl_ms:g} is not longer than a hop of {1e3 * blocks.hop_s:g} ms: "
            "effectors would go neutral between two commands",
        )
    return replace(safety, audit=str(folder / Path(safety.audit).expanduser()))


def record_of(document: Mapping[str, Any], folder: Path, problems: Problems) -> Record | None:
    """Return what is recorded, and where; None where the section is missing or wrong."""
    record = recipe_of(document, "record", Record, problems)
    if record is None:
        return None
    return replace(record, folder=str(folder / Path(record.folder).expanduser()))


def adaptation_of(document: Mapping[str, Any], problems: Problems) -> Adaptation | None:
    """Return how the decoder learns while it runs; None where the section is missing or wrong."""
    table = table_of(document, "adaptation", problems)
    if table is None:
        return None
    tables = table.pop("rules", [])
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables) or not tables:
        problems.add(Section("adaptation"), "needs rules: begin each with [[adaptation.rules]]")
        return None
    rules = tuple(
        of_kind(dict(t), "rules", Section("adaptation.rules", i), problems)
        for i, t in enumerate(tables)
    )
    adaptation = build(Adaptation, table, Section("adaptation"), problems)
    return None if adaptation is None else replace(adaptation, rules=rules)


def _language(document: Mapping[str, Any], folder: Path, problems: Problems) -> Language | None:
    table = table_of(document, "language", problems)
    if table is None:
        return None
    if table.get("folder") and isinstance(table["folder"], str):
        table["folder"] = str(folder / Path(table["folder"]).expanduser())
    return build(Language, table, Section("language"), problems)
