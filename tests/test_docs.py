"""What the documents say holds: examples parse, snippets run, every key is there."""

import ast
import dataclasses
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from bci_server import catalog
from bci_server.__main__ import app
from bci_server.config import load_session, parse_session
from bci_server.mapping import Commands
from bci_server.recording.names import Record
from bci_server.safety.limits import Safety
from bci_server.session_sections import Blocks, Outlet, Target
from decoders.adapting.adaptation import Adaptation
from decoders.deciding.probabilities import Probabilities
from decoders.deciding.speller import Speller
from decoders.deciding.trials import Trials
from decoders.deciding.uncued import Uncued
from decoders.lost_channels import LostChannels
from decoders.speech.language import Language
from decoders.speech.sentences import Sentences

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "tasks").glob("*.md")]
)
KINDS = [(g, kind) for g in get_args(catalog.Group) for kind in catalog.kinds(g)]


def blocks(document: Path, language: str) -> list[str]:
    text = document.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "sessions").glob("*.toml")))
def test_example_sessions_are_valid(path: Path) -> None:
    assert load_session(path).name


def test_what_arms_each_example_is_documented() -> None:
    page = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
    _, _, table = page.partition("| session | commands | neutral | `arm` |")
    rows = table.partition("\n\n")[0].splitlines()[2:]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    sessions = [load_session(f) for f in (ROOT / "examples" / "sessions").glob("*.toml")]
    speaks = {s.name for s in sessions if getattr(s.decoder, "mode", "") == "voice"}
    moves = {s.name for s in sessions if s.commands or s.decoder.task == "continuous"} - speaks
    assert named == moves


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_toml_in_documents_parses_and_whole_sessions_are_valid(document: Path) -> None:
    for text in blocks(document, "toml"):
        if "name" in tomllib.loads(text):
            parse_session(text, ROOT)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    missing = [to for to in links if "://" not in to and not (document.parent / to).exists()]
    assert not missing


@pytest.mark.parametrize(("group", "kind"), KINDS)
def test_every_key_of_every_kind_is_documented(group: catalog.Group, kind: str) -> None:
    page = (ROOT / "docs" / "kinds.md").read_text(encoding="utf-8")
    # A stage and a rule may be of one name; sections are in the order of the groups.
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    section = sections[get_args(catalog.Group).index(group)]
    found = re.search(rf"^### `{kind}`$(.*?)(?=^###|\Z)", section, re.MULTILINE | re.DOTALL)
    fields = {f.name for f in dataclasses.fields(catalog.load(group, kind)) if f.init}
    documented = set(re.findall(r"^\| `(\w+)` \|", found[1], re.MULTILINE)) if found else set()
    assert found, f"no {kind} in docs/kinds.md; run: python docs/make_kinds.py"
    assert documented == fields, "run: python docs/make_kinds.py"


def test_every_command_and_every_option_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    names = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    names |= {g.name for g in app.registered_groups if g.name}
    assert not {n for n in names if f"## `bci {n}`" not in page}
    for name in names - {"stream"}:
        section = page.split(f"## `bci {name}`")[1].split("\n## ")[0]
        shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [name, "--help"]).stdout
        options = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", shown)) - {"--help"}
        assert not {o for o in options if o not in section}, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_python_in_documents_compiles_and_imports(document: Path) -> None:
    for text in blocks(document, "python"):
        imports = [line for line in text.splitlines() if re.match(r"(from|import) ", line)]
        compile(text, str(document), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        exec(compile("\n".join(imports), str(document), "exec"), {})


@pytest.mark.parametrize(
    ("section", "recipe"),
    [
        ("blocks", Blocks),
        ("lost_channels", LostChannels),
        ("trials", Trials),
        ("probabilities", Probabilities),
        ("uncued", Uncued),
        ("speller", Speller),
        ("sentences", Sentences),
        ("language", Language),
        ("target", Target),
        ("commands", Commands),
        ("safety", Safety),
        ("outlet", Outlet),
        ("record", Record),
        ("adaptation", Adaptation),
    ],
)
def test_every_key_of_every_section_is_documented(section: str, recipe: type) -> None:
    page = (ROOT / "docs" / "session-file.md").read_text(encoding="utf-8")
    found = re.search(rf"^## `\[{section}\]`$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found
    rows = re.findall(r"^\| (`[^|]+) \|", found[1], re.MULTILINE)
    documented = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert documented == {f.name for f in dataclasses.fields(recipe)}
