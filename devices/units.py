"""Units: one spelling each, and the factors between those of one quantity.

Voltages are brought to µV (written ``uV``), the unit that the field's filters, artefact limits
and decoders are written for. Other units keep their scale.
"""

from __future__ import annotations

__all__ = ["NO_UNIT", "canonical", "factor", "standard"]

NO_UNIT = "1"

# canonical spelling -> (quantity, size in the quantity's first unit, other spellings in lower case)
_UNITS: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "V": ("voltage", 1e6, ("volt", "volts")),
    "mV": ("voltage", 1e3, ("millivolt", "millivolts")),
    "uV": ("voltage", 1.0, ("µv", "microvolt", "microvolts", "micro-volts", "microv")),
    "nV": ("voltage", 1e-3, ("nanovolt", "nanovolts")),
    "count": ("count", 1.0, ("counts", "spike", "spikes", "spike count", "spike counts")),
    "m": ("length", 1.0, ("meter", "meters", "metre", "metres")),
    "cm": ("length", 1e-2, ("centimeter", "centimeters", "centimetre", "centimetres")),
    "mm": ("length", 1e-3, ("millimeter", "millimeters", "millimetre", "millimetres")),
    "m/s": ("velocity", 1.0, ("meters/second", "metres/second", "m s-1", "m*s-1", "m·s⁻¹")),
    "cm/s": ("velocity", 1e-2, ()),
    "mm/s": ("velocity", 1e-3, ()),
    "m/s^2": ("acceleration", 1.0, ("m/s²", "m/s2", "meters/second^2")),
    "g": ("acceleration", 9.80665, ("gravity",)),
    "rad": ("angle", 1.0, ("radian", "radians")),
    "deg": ("angle", 0.017453292519943295, ("degree", "degrees", "°")),
    "deg/s": ("angular velocity", 1.0, ("degrees/second", "°/s", "dps")),
    "N": ("force", 1.0, ("newton", "newtons")),
    "Hz": ("rate", 1.0, ("hertz", "1/s", "spikes/s", "spikes per second")),
    "s": ("time", 1.0, ("second", "seconds")),
    "ms": ("time", 1e-3, ("millisecond", "milliseconds")),
    "degC": ("temperature", 1.0, ("°c", "celsius")),
    "%": ("share", 1.0, ("percent",)),
    NO_UNIT: (
        "number",
        1.0,
        ("", "none", "na", "n/a", "-", "a.u.", "au", "arbitrary", "unknown", "misc", "normalized"),
    ),
}
_SPELLINGS = {other: unit for unit, (_, _, others) in _UNITS.items() for other in others}
# Only where no other unit differs by case alone: "uv" is clear, "MV" and "S" are not.
_SPELLINGS |= {unit.lower(): unit for unit in ("V", "uV", "nV", "mV", "Hz", "N", "degC")}


def canonical(unit: str) -> str:
    """Return the one spelling of a unit; a unit that nobody knows here stays as it is written.

    >>> canonical("microvolts"), canonical("μV"), canonical(""), canonical("ppm")
    ('uV', 'uV', '1', 'ppm')
    """
    unit = unit.strip().replace("\u03bc", "\u00b5")  # Greek mu and the micro sign look alike
    if unit in _UNITS:
        return unit
    if unit == unit.upper() and unit.startswith("M"):  # mega, or milli in capitals: not ours to say
        return unit
    return _SPELLINGS.get(unit.lower(), unit)


def factor(unit: str, target: str) -> float:
    """Return what values in `unit` are multiplied by to be in `target`.

    Raises
    ------
    ValueError
        The two do not measure the same.
    """
    unit, target = canonical(unit), canonical(target)
    if unit == target:
        return 1.0
    quantity, size, _ = _UNITS.get(unit, (unit, 1.0, ()))
    target_quantity, target_size, _ = _UNITS.get(target, (target, 1.0, ()))
    if quantity != target_quantity:
        raise ValueError(f"{unit!r} ({quantity}) cannot become {target!r} ({target_quantity})")
    return size / target_size


def standard(unit: str) -> tuple[str, float]:
    """Return the unit that values leave a device in, and the factor to it: voltages in ``uV``.

    >>> standard("volts"), standard("mm")
    (('uV', 1000000.0), ('mm', 1.0))
    """
    unit = canonical(unit)
    if unit in _UNITS and _UNITS[unit][0] == "voltage":
        return "uV", factor(unit, "uV")
    return unit, 1.0
