"""Decoders of values beside each other, and which ones suit a session."""

from pathlib import Path

import pytest

from bci_server.config import session_of
from bci_server.evaluation.groups import Source
from bci_server.evaluation.leaderboard import Cell, candidates, compare
from decoders.models.ridge import Ridge
from tests.decoders.made import followed

DOCUMENT = {
    "name": "made",
    "device": {"kind": "lsl", "name": "made"},
    "blocks": {"hop_s": 0.05},
    "decoder": {"kind": "ridge", "model": "model", "history": 3, "alpha": 0.01},
    "target": {"stream": "truth"},
}


@pytest.fixture
def session(tmp_path: Path):
    return session_of(DOCUMENT, tmp_path)


def test_values_are_scored_beside_a_truth_that_is_turned(session) -> None:
    made = [Source(followed(1500), "made")]
    cells = dict(compare(session, made, {"ridge": Ridge(3, 0.01)}))
    cell = cells["ridge"]
    assert isinstance(cell, Cell)
    assert cell.score == "r2"
    assert cell.chance == 0.0
    assert cell.value > 0.3 > 0.1 > cell.control


def test_the_sessions_own_decoder_comes_first_as_it_is_set(session) -> None:
    found = candidates(session)
    assert next(iter(found.items())) == ("ridge", Ridge(3, 0.01))
    assert {"kalman", "wiener_cascade"} <= set(found)
    assert {"rnn", "sernn", "lda", "falcon", "aligned"}.isdisjoint(found)
    assert "rnn" in candidates(session, networks=True)
    assert list(candidates(session, ["kalman"])) == ["kalman"]
