import math

import pytest

from bci_server.mapping import Commands
from decoders.output import Prediction


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
