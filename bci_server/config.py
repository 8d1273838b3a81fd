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
from bci_server.safety.limits import Safety
from bci_server.safety.stimulation import Stimulation
from bci_server.section_kinds import of_kind, plugin_of, recipe_of, stages_of
from bci_server.sections import Problems, Section, build
from bci_server.session_checks import check_commands, check_neutral
from bci_server.session_sections import (
    Blocks,
    Outlet,
    Target,
    adaptation_of,
    decoder_of,
    name_of,
    parts_of,
    record_of,
    safety_of,
)
from decoders.artifact import Artifact
from decoders.decoder import Decoder
from decoders.describe import describe, describe_pipeline, stated
from decoders.pipeline import Pipeline
from decoders.stage import Chain
from devices.device import Device

__all__ = [
    "BadSession",
    "Session",
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
    name = name_of(document.get("name"), problems)
    device = plugin_of(document, "device", "devices", problems)
    blocks = recipe_of(document, "blocks", Blocks, problems, required=True)
    stages = stages_of(document.get("stages", []), problems)
    decoder, model = decoder_of(document, folder, problems)
    parts = parts_of(document, folder, decoder, problems)
    target = recipe_of(document, "target", Target, problems)
    commands = recipe_of(document, "commands", Commands, problems)
    safety = safety_of(document, blocks, folder, problems)
    outlet = recipe_of(document, "outlet", Outlet, problems) or Outlet()
    record = record_of(document, folder, problems)
    stimulation = recipe_of(document, "stimulation", Stimulation, problems)
    adaptation = adaptation_of(document, problems)
    if commands is not None:
        check_commands(commands, decoder, parts["trials"], parts["language"], problems)
    check_neutral(safety, commands, decoder, problems)
    if problems.found or blocks is None or model is None:
        return None
    return Session(
        name,
        device,
        Pipeline(blocks.hop_s, blocks.channels, Chain(stages), adaptation=adaptation, **parts),
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
