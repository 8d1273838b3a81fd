import math

import pytest

from bci_server.mapping import Commanding, Commands
from decoders.deciding.trials import Deciding, Trials
from decoders.decoder import Event, Moment
from decoders.output import Command, Prediction, Token


def test_the_command_is_the_mean_weighted_by_probability():
    commands = Commands(("x", "y"), {"left": (-1.0, 0.0), "up": (0.0, 2.0)}, unit="m/s")
    command = commands.command(Prediction(("left", "up", "rest"), (0.5, 0.3, 0.2)))
    assert command.values == pytest.approx((-0.5, 0.6))
    assert (command.mode, command.names, command.unit) == ("velocity", ("x", "y"), "m/s")
    assert command.confidence == 0.5


@pytest.mark.parametrize(("cue", "mode"), [(99, "neutral"), (100, "click"), (None, "click")])
def test_a_decision_on_what_was_cued_before_arming_means_nothing(cue, mode):
    commands = Commands(("x",), {"go": (1.0,)}, "click", on="decisions")
    decided = Prediction(("go", "stay"), (0.9, 0.1), decision="go", cue_sample=cue)
    assert commands.command(decided, armed_from=100).mode == mode


def test_of_several_decisions_in_a_block_the_newest_moves_whatever_the_older_ones_say():
    deciding = Deciding(Trials({"T": "go"}, start_s=0.0, end_s=0.1), 100.0, 10)
    said = (Prediction(("go", "stay"), (0.9, 0.1)),)
    deciding(said, deciding.begin(Moment(9, 0.09)))
    late = tuple(Event(sample, "T", "device") for sample in (2, 4))
    outputs = deciding(said, deciding.begin(Moment(19, 0.19, events=late)))
    assert [o.cue_sample for o in outputs] == [4, 2]
    commanding = Commanding(Commands(("x",), {"go": (1.0,)}, "click", on="decisions"), 100.0)
    for armed_from, mode in ((0, "click"), (3, "click"), (5, "neutral")):
        commanding.forget(armed_from)
        assert commanding.command(outputs, 19).mode == mode


@pytest.mark.parametrize(
    "bad",
    [
        {"names": (), "values": {}},
        {"names": ("x", "x"), "values": {}},
        {"names": ("x",), "values": {"left": (1.0, 2.0)}},
        {"names": ("x",), "values": {"left": (math.nan,)}},
        {"names": ("x",), "values": {}, "mode": "neutral"},
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(bad):
    with pytest.raises(ValueError, match=r"names|values\.left|mode"):
        Commands(**bad)


SPOKEN = Commands(("x",), {"go": (1.0,)}, on="words", hold_s=0.2)


def said(text, first, is_final=True):
    return (Token(0, text, "word", is_final, False, 0.9, first=first),)


def test_the_command_of_a_word_stands_for_its_while_and_no_longer():
    commanding = Commanding(SPOKEN, 100.0)
    assert commanding.command(said("go", 10, is_final=False), 30) is None
    command = commanding.command(said("go", 10), 40)
    assert command == Command("velocity", ("x",), (1.0,), "1", 0.9)
    assert commanding.command((), 59) == command
    assert commanding.command((), 60) is None


def test_what_was_begun_to_be_said_before_arming_moves_nothing():
    commanding = Commanding(SPOKEN, 100.0)
    commanding.command(said("go", 10), 40)
    commanding.forget(50)
    assert commanding.command((), 45) is None
    assert commanding.command(said("go", 49), 60) is None
    assert commanding.command(said("go", 50), 70).values == (1.0,)


def test_a_decoders_own_command_comes_before_all_that_follows_from_classes():
    own = Command("velocity", ("x",), (0.5,), "1", 1.0)
    likely = Prediction(("left", "right"), (0.2, 0.8))
    commanding = Commanding(Commands(("x",), {"right": (1.0,)}), 100.0)
    assert commanding.command((likely, own), 5) == own
    assert commanding.command((likely, likely), 10).values == (0.8,)
    assert Commanding(None, 100.0).command((likely,), 10) is None
