"""Numbers as the integers of EDF and BDF: exactly where that can be, else as finely as it goes.

EDF and BDF keep integers of 16 or 24 bits, and for each channel two pairs of numbers, of at most
eight characters each, that say what they mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bci_server.export.report import CannotHold
from devices.units import standard

__all__ = ["Digital", "SourceScale", "digitize", "source_scales"]

_FIXED = 256
_MOST_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class SourceScale:
    """How the integers of an EDF or BDF file become numbers: the four fields of its header."""

    physical_min: float
    physical_max: float
    digital_min: int
    digital_max: int


@dataclass(frozen=True, slots=True)
class Digital:
    """One channel.

    Parameters
    ----------
    values
        (n,) int32.
    scale
        What they mean.
    is_exact
        Every integer means the number that it stands for, but for the last digit of a float64.
    worst
        The largest difference, in the channel's unit.
    n_replaced
        Numbers that were not finite, and became 0 (or what is nearest to it).
    """

    values: NDArray[np.int32]
    scale: SourceScale
    is_exact: bool
    worst: float
    n_replaced: int


def digitize(
    values: NDArray[np.generic], factor: float, limits: tuple[int, int], known: SourceScale | None
) -> Digital:
    """Return a channel as integers.

    Parameters
    ----------
    values
        (n,) numbers of any type.
    factor
        Times this they are in the channel's unit.
    limits
        Smallest and largest integer of the format.
    known
        The scale of the file that they were read from, if it has one.

    Raises
    ------
    CannotHold
        A number is too large for the header.
    """
    numbers = np.asarray(values, np.float64)
    finite = np.isfinite(numbers)
    n_replaced = int(len(numbers) - finite.sum())
    if n_replaced:
        numbers = np.nan_to_num(numbers, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    found = None
    if known is not None and limits[0] <= known.digital_min < known.digital_max <= limits[1]:
        found = _on_scale(numbers * factor, known)
    is_whole = bool((numbers == np.rint(numbers)).all())
    if found is None and is_whole and limits[0] <= low and high <= limits[1]:
        scale = _whole_scale(factor, max(-low, high, 1.0), limits)
        found = numbers.astype(np.int32), scale
    if found is None:
        found = _quantized(numbers * factor, limits)
    digital, scale = found
    worst = float(np.abs(_meaning(digital, scale) - numbers * factor).max())
    size = max(abs(low), abs(high)) * abs(factor)
    return Digital(digital, scale, worst <= _MOST_EXACT * size, worst, n_replaced)


def source_scales(path: Path) -> dict[str, SourceScale]:
    """Return the scale of each channel of an EDF or BDF file, by its bare label.

    Physical values are in the unit that `devices.units.standard` gives. Scales that the header of
    a new file could not say exactly are left out.
    """
    with path.open("rb") as file:
        n = int(file.read(_FIXED)[252:256])
        header = file.read(n * _FIXED)

    def field(start: int, width: int) -> list[str]:
        whole = header[n * start : n * (start + width)]
        return [whole[i * width : (i + 1) * width].decode("latin-1").strip() for i in range(n)]

    labels = [label.rstrip(".") for label in field(0, 16)]
    factors = [standard(unit)[1] for unit in field(96, 8)]
    numbers = zip(*(map(float, field(at, 8)) for at in (104, 112, 120, 128)), strict=True)
    scales = {}
    for label, factor, (p_min, p_max, d_min, d_max) in zip(labels, factors, numbers, strict=True):
        physical = (p_min * factor, p_max * factor)
        if all(abs(p) < 1e7 and _in_eight(p) == p for p in physical):
            scales[label] = SourceScale(*physical, int(d_min), int(d_max))
    return scales


def _meaning(digital: NDArray[np.int32], scale: SourceScale) -> NDArray[np.float64]:
    gain = (scale.physical_max - scale.physical_min) / (scale.digital_max - scale.digital_min)
    steps = digital.astype(np.float64) - scale.digital_min
    return np.asarray(steps * gain + scale.physical_min, np.float64)


def _on_scale(
    physical: NDArray[np.float64], scale: SourceScale
) -> tuple[NDArray[np.int32], SourceScale] | None:
    """Return the integers that these numbers were read from; None if they were not."""
    span = scale.physical_max - scale.physical_min
    if not span:
        return None
    steps = (physical - scale.physical_min) / span * (scale.digital_max - scale.digital_min)
    digital = np.rint(steps)
    if np.abs(steps - digital).max() > 1e-3:
        return None
    whole = digital + scale.digital_min
    if whole.min() < scale.digital_min or whole.max() > scale.digital_max:
        return None
    return whole.astype(np.int32), scale


def _whole_scale(factor: float, largest: float, limits: tuple[int, int]) -> SourceScale:
    """Return a scale on which an integer means itself times `factor`, exactly if that can be."""
    tried = [limits] + [
        (-size, size)
        for power in range(len(str(limits[1])), -1, -1)
        for digit in range(9, 0, -1)
        if largest <= (size := digit * 10**power) <= limits[1]
    ]
    for low, high in tried:
        physical = (_in_eight(low * factor), _in_eight(high * factor))
        if physical == (low * factor, high * factor):
            return SourceScale(*physical, low, high)
    low, high = limits
    return SourceScale(_in_eight(low * factor), _in_eight(high * factor), low, high)


def _quantized(
    physical: NDArray[np.float64], limits: tuple[int, int]
) -> tuple[NDArray[np.int32], SourceScale]:
    low, high = float(physical.min()), float(physical.max())
    p_min, p_max = _in_eight(low, -1), _in_eight(high, 1)
    if p_min == p_max:
        p_max = _in_eight(p_min + max(abs(p_min), 1.0))
    steps = (physical - p_min) / (p_max - p_min) * (limits[1] - limits[0])
    digital = (np.rint(steps) + limits[0]).clip(*limits).astype(np.int32)
    return digital, SourceScale(p_min, p_max, *limits)


def _in_eight(number: float, direction: int = 0) -> float:
    """Return the nearest number of eight characters; not below with 1, not above with -1."""
    for decimals in range(7, -1, -1):
        step = 10.0**-decimals
        for tried in (number, number + direction * step):
            text = f"{tried:.{decimals}f}"
            value = float(text)
            if direction * (value - number) >= 0 and len(_shortest(value, decimals)) <= 8:
                return value
    raise CannotHold(
        f"the number {number:g} is too large for the header; nwb, csv and parquet hold it"
    )


def _shortest(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if not math.isclose(value, 0.0, abs_tol=0.0) else "0"
