"""A run of a real brain decoded by a model of another, tuned to its first trials."""

import math
import re
from pathlib import Path

import pytest

from bci_server.config import Session, parse_session
from bci_server.evaluation.groups import Source
from bci_server.evaluation.leave_out import LeftOutEvaluation, leave_one_out
from devices.adapters.recording import Recording

ROOT = Path(__file__).resolve().parents[2]
CHANNELS = 'channels = ["C5", "C3", "C1", "Cz", "C2", "C4", "C6", "Cpz"]'
ALIGNED = """\
[decoder]
kind = "aligned"
by = "recentre"
model = "model"

[decoder.decoder]
kind = "tangent_space"
"""


@pytest.fixture(scope="module")
def text() -> str:
    file = ROOT / "examples" / "sessions" / "motor_imagery.toml"
    # Few electrodes, since this is no place to wait.
    return re.sub(
        r"channels = \[.*?\]", CHANNELS, file.read_text(encoding="utf-8"), flags=re.DOTALL
    )


@pytest.fixture(scope="module")
def imagined(shared_data: Path) -> list[Source]:
    paths = [shared_data / "eegmmi_s001" / f"S001R{n}.edf" for n in ("06", "10")]
    if not all(path.exists() for path in paths):
        pytest.skip(f"no {paths[0]}")
    return [Source(Recording(str(p), speed=math.inf, chunk_s=1.0), p.name) for p in paths]


def left_out(session: Session, sources: list[Source], **options) -> LeftOutEvaluation:
    return leave_one_out(session.pipeline, session.decoder, sources, "recording", **options)


def test_tuned_to_its_first_trials_it_decodes_the_rest(text: str, imagined: list[Source]) -> None:
    kind = '[decoder]\nkind = "tangent_space"\nmodel = "models/motor_imagery"\n'
    assert kind in text
    session = parse_session(text.replace(kind, ALIGNED), ROOT)
    result = left_out(session, imagined, first_s=52.0)
    assert result.pooled is not None
    assert 14 <= result.pooled["n"] <= 20
    assert result.pooled["accuracy"] > result.pooled["chance_p95"]
