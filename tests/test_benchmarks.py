"""Benchmarks are run as scripts, whose folder comes first where Python looks for modules."""

import sys
from pathlib import Path

from benchmarks.live_tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]


def test_no_script_hides_a_package():
    packages = {
        "bci_server",
        "decoders",
        "devices",
        "benchmarks",
        "tests",
        *sys.stdlib_module_names,
    }
    names = {p.stem for p in (ROOT / "benchmarks").iterdir() if p.name != "__pycache__"}
    names |= {p.stem for p in (ROOT / "examples").rglob("*.py")}
    assert not names & packages


def test_every_session_file_goes_over_the_line_or_is_of_a_simulated_person():
    simulated = {"cursor", "grasp", "speech", "speech_broadband", "speller", "voice"}
    files = {path.stem for path in (ROOT / "examples" / "sessions").glob("*.toml")}
    assert {line.session for lines in TASKS.values() for line in lines} == files - simulated
