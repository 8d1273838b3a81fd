import math

import pytest

from devices.units import canonical, factor, standard


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("uV", "uV"),
        ("µV", "uV"),
        ("μV", "uV"),
        ("microvolts", "uV"),
        ("Microvolts ", "uV"),
        ("UV", "uV"),
        ("V", "V"),
        ("volts", "V"),
        ("v", "V"),
        ("mV", "mV"),
        ("mv", "mV"),
        ("nanovolts", "nV"),
        ("counts", "count"),
        ("spikes", "count"),
        ("m/s", "m/s"),
        ("mm", "mm"),
        ("", "1"),
        ("none", "1"),
        ("ppm", "ppm"),
        ("MV", "MV"),
    ],
)
def test_each_unit_has_one_spelling(written, unit):
    assert canonical(written) == unit


@pytest.mark.parametrize(
    ("unit", "target", "expected"),
    [("V", "uV", 1e6), ("uV", "mV", 1e-3), ("nV", "uV", 1e-3), ("cm/s", "mm/s", 10.0),
     ("degrees", "rad", math.pi / 180), ("ppm", "ppm", 1.0)],
)  # fmt: skip
def test_factors(unit, target, expected):
    assert factor(unit, target) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("unit", "target"), [("uV", "mm"), ("ppm", "uV"), ("1", "uV")])
def test_different_quantities_do_not_convert_and_both_are_named(unit, target):
    with pytest.raises(ValueError, match=f"'{unit}'.*'{target}'"):
        factor(unit, target)


def test_voltages_leave_a_device_in_microvolts_and_the_rest_as_it_is():
    assert standard("volts") == ("uV", 1e6)
    assert standard("mV") == ("uV", 1e3)
    assert standard("mm") == ("mm", 1.0)
    assert standard("") == ("1", 1.0)
