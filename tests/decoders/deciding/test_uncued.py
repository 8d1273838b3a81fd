import math

import pytest

from decoders.deciding.uncued import Listening, Uncued
from decoders.output import Command, Prediction

BLOCK_S = 0.1


def test_evidence_adds_up_and_what_speaks_against_takes_it_away() -> None:
    listening = Listening(("rest", "go"), "rest", math.log(20), 0)
    three = (0.25, 0.75)  # each says ln 3
    assert [listening.take(three) for _ in range(3)] == [None, None, "go"]
    assert [listening.take(row) for row in (three, three, (0.9, 0.1), three, three)] == [None] * 5
    assert listening.take(three) == "go"


def test_idle_is_never_decided_and_saves_nothing_up() -> None:
    listening = Listening(("rest", "go"), "rest", math.log(20), 0)
    assert [listening.take((0.999, 0.001)) for _ in range(100)] == [None] * 100
    assert [listening.take((0.25, 0.75)) for _ in range(3)] == [None, None, "go"]


def test_after_a_decision_there_is_a_pause() -> None:
    listening = Uncued(0.1, pause_s=0.3).start(("rest", "go"), "rest", 1.0, BLOCK_S)
    said = [listening.take((0.1, 0.9)) for _ in range(9)]
    assert said == ["go", None, None, None, "go", None, None, None, "go"]


def test_certainty_does_not_break_it() -> None:
    assert Listening(("rest", "go"), "rest", 5.0, 0).take((0.0, 1.0)) == "go"


def test_a_decision_has_no_cue_and_other_outputs_pass() -> None:
    listening = Listening(("rest", "go"), "rest", 1.0, 0)
    command = Command("velocity", ("x",), (1.0,), "1")
    prediction = Prediction(("rest", "go"), (0.1, 0.9))
    said = listening((command, prediction))
    assert said == [command, Prediction(("rest", "go"), (0.1, 0.9), "go", None)]
    assert listening((command,)) == (command,)


def test_wrong_settings_are_refused() -> None:
    for options in ({"error_rate": 0.6}, {"error_rate": 0.0}, {"pause_s": -1.0}):
        with pytest.raises(ValueError, match="uncued needs"):
            Uncued(**({"error_rate": 0.1} | options))
