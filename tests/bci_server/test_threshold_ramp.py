"""Adaptive stimulation, beside the logs of two real controllers."""

import csv
import json
import math

import numpy as np
import pytest

from bci_server.client.threshold_ramp import ThresholdRamp, percentile_thresholds


@pytest.fixture
def implant(shared_data):
    """What an implant's controller said of itself, update by update."""
    file = shared_data / "closed_loop" / "rcs_benchtop_adaptive" / "AdaptiveLog.json"
    return [record["AdaptiveUpdate"] for record in json.loads(file.read_text())]


def test_the_log_of_an_implant_is_said_again(implant, shared_data):
    settings = json.loads(
        (shared_data / "closed_loop" / "rcs_benchtop_adaptive" / "DeviceSettings.json").read_text()
    )
    stated = next(s for s in settings if "AdaptiveConfig" in s)
    deltas = stated["AdaptiveConfig"]["deltas"][0]
    on = stated["AdaptiveConfig"]["state2"]["prog0AmpInMilliamps"]
    unit = 65536 * 10  # a step of the ramp is stated in 1/65536 of 0.1 mA
    recipe = ThresholdRamp(
        implant[0]["Ld0Status"]["highThreshold"], on, deltas["rise"] / unit, deltas["fall"] / unit
    )
    ramping = recipe.start()
    states = amplitudes = 0
    for update in implant:
        amplitude = ramping(update["Ld0Status"]["output"])
        states += (2 if ramping.is_on else 0) == update["CurrentAdaptiveState"]
        said = update["CurrentProgramAmplitudesInMilliamps"][0]
        amplitudes += math.isclose(amplitude, said, abs_tol=1e-9)
    assert (states, amplitudes, len(implant)) == (547, 547, 547)


def test_another_threshold_would_not_say_it(implant):
    ramping = ThresholdRamp(1e3, 6.0, 0.8, 0.8).start()
    wrong = 0
    for update in implant:
        ramping(update["Ld0Status"]["output"])
        wrong += (2 if ramping.is_on else 0) != update["CurrentAdaptiveState"]
    assert wrong


def test_the_thresholds_of_a_laboratory_are_found_again(shared_data):
    folder = shared_data / "closed_loop" / "mouse_v1_icms_2025-12-16"
    with (folder / "warmup_Xts.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    values = np.array([[float(cell or "nan") for cell in line] for line in lines])
    (stated,) = [json.loads(f.read_text()) for f in folder.glob("percentiles_*.json")]
    found = percentile_thresholds(values)
    by_name = {int(name.removeprefix("Ch_")): row for name, row in zip(header, found, strict=True)}
    assert len(stated) == len(by_name) == 10
    for channel in stated:
        expected = (channel["fifthPercentile"], channel["ninetyFifthPercentile"])
        assert by_name[channel["electrodeID"]] == pytest.approx(expected, abs=1e-6)


def test_it_takes_several_updates_to_switch_if_so_wanted():
    ramping = ThresholdRamp(1.0, 4.0, 4.0, 4.0, release=0.5, onset=2, termination=3).start()
    said = []
    for feature in (2, 0, 2, 2, 0.7, 0, 0.7, 0, 0, 0):
        ramping(feature)
        said.append(ramping.is_on)
    assert said == [False, False, False, True, True, True, True, True, True, False]


def test_a_feature_that_is_no_number_switches_off():
    ramping = ThresholdRamp(1.0, 4.0, 4.0, 1.0).start()
    assert [ramping(v) for v in (2.0, 2.0, math.nan, math.nan, 0.0)] == [0.0, 4.0, 4.0, 3.0, 2.0]
    assert not ramping.is_on


@pytest.mark.parametrize(
    "wrong",
    [{"rise": 0.0}, {"fall": -1.0}, {"release": 2.0}, {"onset": 0}, {"termination": 0}],
)
def test_a_senseless_recipe_is_refused(wrong):
    with pytest.raises(ValueError, match=r"rise|release|onset"):
        ThresholdRamp(**{"threshold": 1.0, "on_amplitude": 4.0, "rise": 1.0, "fall": 1.0, **wrong})


def test_no_rows_no_thresholds():
    with pytest.raises(ValueError, match="none of 3 rows"):
        percentile_thresholds(np.full((3, 2), np.nan))
