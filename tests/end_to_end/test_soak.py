"""Three minutes of random faults on the whole line as real processes; an effector judges.

It mostly waits, so it is begun first and runs beside the rest of the suite. `benchmarks/soak.py` is
the long one, `benchmarks/safety_faults.py` the one that measures how soon an effector is neutral.
"""

import asyncio
from pathlib import Path

import pytest

from benchmarks.soak import soak

SECONDS = 180.0


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("lsl")
def test_whatever_fails_no_command_is_unsafe_and_the_effector_is_neutral(tmp_path: Path) -> None:
    soaked = asyncio.run(soak(tmp_path, SECONDS, hop_s=0.02, pause_s=0.5, seed=0))
    report = soaked.report
    assert report["unsafe"] == 0, report
    assert not soaked.tally.never, soaked.tally.why
    assert soaked.tally.n >= SECONDS / 12
    assert report["counts"]["moving"] > 100
