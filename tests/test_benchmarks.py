"""Benchmarks are run as scripts, whose folder comes first where Python looks for modules."""

import sys
from pathlib import Path

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
