"""The session file: TOML, in the order that samples flow, checked whole before anything opens.

Each plug-in's section *is* its recipe, a frozen dataclass: its fields are the keys. What is wrong
is said all at once, each with its section, its line, both values, and what was probably meant.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bci_server import catalog
from bci_server.mapping import Commands
from bci_server.recording.names import Record
from bci_server.safety.limits import Safety, default_ttl_ms
from bci_server.safety.stimulation import Stimulation
from bci_server.section_kinds import of_kind, plugin_of, recipe_of, stages_of, table_of
from bci_server.sections import Problems, Section, build
from bci_server.session_checks import check_commands, check_neutral, check_speech, check_speller
from decoders.adaptation import Adaptation
from decoders.artifact import Artifact
from decoders.decoder import Decoder
from decoders.describe import describe, describe_pipeline, stated
from decoders.lost_channels import LostChannels
from decoders.pipeline import Pipeline
from decoders.probabilities import Probabilities
from decoders.speech.language import Language
from decoders.speech.sentences import Sentences
from decoders.speller import Speller
from decoders.stage import Chain
from decoders.trials import Trials
from decoders.uncued import Uncued
from devices.device import Device

__all__ = [
    "BadSession",
    "Outlet",
    "Session",
    "Target",
    "device_of",
    "load_session",
    "parse_session",
    "session_of",
    "with_recipes",
]

_SECTIONS = (
    "name",
    "device",
    "blocks",
    "stages",
    "decoder",
    "lost_channels",
    "trials",
    "probabilities",
    "uncued",
    "speller",
    "sentences",
    "language",
    "target",
    "commands",
    "safety",
    "stimulation",
    "outlet",
    "record",
    "adaptation",
)


class BadSession(Exception):
    """The session file cannot be used; the message lists everything that is wrong with it.

    Attributes
    ----------
    problems
        One line each.
    """

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join([f"{source} cannot be used:", *(f"  {p}" for p in problems)]))
        self.problems = problems


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


@dataclass(frozen=True)
class Session:
    """One session file, checked.

    Parameters
    ----------
    name
        Names the session in URLs, sockets and LSL streams.
    device, pipeline, decoder
        The recipes, in the order that samples flow.
    model
        Folder of the fitted weights. Need not exist before calibration.
    target, commands, safety, outlet, record, stimulation
        The sections of these names.
    document
        The file's content as read, for manifests and displays.
    text
        The file itself, for recordings.
    """

    name: str
    device: Device
    pipeline: Pipeline
    decoder: Decoder
    model: Path
    target: Target | None = None
    commands: Commands | None = None
    safety: Safety = field(default_factory=Safety)
    outlet: Outlet = field(default_factory=Outlet)
    document: Mapping[str, Any] = field(default_factory=dict)
    record: Record | None = None
    text: str = ""
    stimulation: Stimulation | None = None

    def with_device(self, device: Device) -> Session:
        """Return the same session on another device."""
        return replace(self, device=device)

    def in_memory(self) -> Session:
        """Return the same session with its language loaded, for all runs that it starts.

        Raises
        ------
        ArtifactError
            The language cannot be read.
        """
        return replace(self, pipeline=self.pipeline.in_memory())

    def with_model(self, model: Path) -> Session:
        """Return the same session with another model."""
        return replace(self, model=model)

    def with_record(self, changes: Mapping[str, object]) -> Session:
        """Return the same session, recorded from its start, with some of ``[record]`` changed.

        Raises
        ------
        BadSession
            The changed section would be wrong.
        """
        unchanged = {} if self.record is None else asdict(self.record)
        problems = Problems("")
        table = {**unchanged, "enabled": True, **changes}
        record = build(Record, table, Section("record"), problems)
        if record is None:
            raise BadSession("the recording", problems.found)
        return replace(self, record=record)


def load_session(file: Path) -> Session:
    """Read and check a session file. Paths in it are relative to its folder.

    Raises
    ------
    BadSession
        It cannot be read, or something in it is wrong.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as e:
        raise BadSession(str(file), (f"it cannot be read: {e.strerror}",)) from e
    except UnicodeDecodeError as e:
        raise BadSession(str(file), (f"it is not UTF-8 text: {e.reason}",)) from e
    return parse_session(text, file.parent, str(file))


def parse_session(text: str, folder: Path, source: str = "the session") -> Session:
    """Check a session file's text.

    Parameters
    ----------
    text
        TOML.
    folder
        What paths in it are relative to.
    source
        Where it came from, for messages.

    Raises
    ------
    BadSession
        Something in it is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise BadSession(source, (f"it is not TOML: {e}",)) from e
    return replace(session_of(document, folder, source, text), text=text)


def session_of(
    document: Mapping[str, Any], folder: Path, source: str = "the session", text: str = ""
) -> Session:
    """Check what a session file says.

    Parameters
    ----------
    document
        The file's content.
    folder, source
        As for `parse_session`.
    text
        The file itself, to find lines in; empty where there is none.

    Raises
    ------
    BadSession
        Something in it is wrong.
    """
    problems = Problems(text)
    session = _session(dict(document), folder, problems)
    if session is None or problems.found:
        raise BadSession(source, problems.found)
    return session


def device_of(section: Mapping[str, object]) -> Device:
    """Make a device of what would stand in a ``[device]`` section.

    Raises
    ------
    BadSession
        It describes none.
    """
    problems = Problems("")
    device: Device | None = of_kind(dict(section), "devices", Section("device"), problems)
    if device is None:
        raise BadSession("the device", problems.found)
    return device


def with_recipes(session: Session, artifact: Artifact) -> Session:
    """Return the session with the steps and the decoder that a model was fitted with.

    Raises
    ------
    BadSession
        The model names what is not there any more.
    """
    fitted = artifact.pipeline
    now = describe_pipeline(session.pipeline)
    if describe(session.decoder) == artifact.decoder and now["stages"] == fitted["stages"]:
        return session
    problems = Problems("")
    stages = stages_of([stated(s) for s in fitted["stages"]], problems)
    decoder = of_kind(stated(artifact.decoder), "decoders", Section("decoder"), problems)
    if problems.found:
        raise BadSession(f"the model {artifact.hash}", problems.found)
    pipeline = replace(session.pipeline, hop_s=fitted["hop_s"], stages=Chain(stages))
    return replace(session, pipeline=pipeline, decoder=decoder)


def _session(document: dict[str, Any], folder: Path, problems: Problems) -> Session | None:
    for key in document:
        if key not in _SECTIONS:
            guess = catalog.did_you_mean(key, _SECTIONS)
            problems.add(Section(key), f"there is no section of that name{guess}")
    name = _name(document.get("name"), problems)
    device = plugin_of(document, "device", "devices", problems)
    blocks = recipe_of(document, "blocks", Blocks, problems, required=True)
    stages = stages_of(document.get("stages", []), problems)
    decoder, model = _decoder(document, folder, problems)
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
    target = recipe_of(document, "target", Target, problems)
    commands = recipe_of(document, "commands", Commands, problems)
    safety = _safety(document, blocks, folder, problems)
    outlet = recipe_of(document, "outlet", Outlet, problems) or Outlet()
    record = recipe_of(document, "record", Record, problems)
    stimulation = recipe_of(document, "stimulation", Stimulation, problems)
    adaptation = _adaptation(document, problems)
    if record is not None:
        record = replace(record, folder=str(folder / Path(record.folder).expanduser()))
    if commands is not None:
        check_commands(commands, decoder, trials, language, problems)
    check_neutral(safety, commands, decoder, problems)
    if problems.found or blocks is None or model is None:
        return None
    pipeline = Pipeline(
        blocks.hop_s,
        blocks.channels,
        Chain(stages),
        trials,
        lost_channels,
        adaptation,
        probabilities,
        uncued,
        speller,
        sentences,
        language,
    )
    return Session(
        name,
        device,
        pipeline,
        decoder,
        model,
        target,
        commands,
        safety,
        outlet,
        document,
        record,
        stimulation=stimulation,
    )


def _language(document: Mapping[str, Any], folder: Path, problems: Problems) -> Language | None:
    table = table_of(document, "language", problems)
    if table is None:
        return None
    if table.get("folder") and isinstance(table["folder"], str):
        table["folder"] = str(folder / Path(table["folder"]).expanduser())
    return build(Language, table, Section("language"), problems)


def _safety(
    document: Mapping[str, Any], blocks: Blocks | None, folder: Path, problems: Problems
) -> Safety:
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


def _name(name: object, problems: Problems) -> str:
    if not isinstance(name, str) or not name:
        problems.add(Section("name"), 'a session needs a name: name = "…" on the first line')
        return ""
    if len(name) > 64 or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        problems.add(
            Section("name"),
            f"{name!r} names URLs and files: use letters, digits, - and _, at most 64",
        )
    return name


def _adaptation(document: Mapping[str, Any], problems: Problems) -> Adaptation | None:
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


def _decoder(
    document: Mapping[str, Any], folder: Path, problems: Problems
) -> tuple[Any, Path | None]:
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
