"""Where electrodes sit on the head, and how far a source under one is seen at the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["ELECTRODES", "positions", "spread"]

# Inclination from the vertex and azimuth from the right ear over the nose, in degrees, on the
# sphere fitted to the 10-05 positions of the Colin 27 head. Ordered so that the first 8, 16, 32
# and 64 are sensible montages: motor, parietal and visual areas first.
_ANGLES_DEG: dict[str, tuple[float, float]] = {
    "Fz": (50, 91),
    "C3": (47, 176),
    "Cz": (4, 95),
    "C4": (47, 5),
    "Pz": (39, -91),
    "PO7": (90, -125),
    "Oz": (83, -91),
    "PO8": (90, -56),
    "Fp1": (95, 107),
    "Fp2": (95, 74),
    "F3": (65, 126),
    "F4": (66, 54),
    "T7": (98, 180),
    "T8": (98, 1),
    "P3": (57, -131),
    "P4": (57, -49),
    "O1": (86, -108),
    "O2": (86, -73),
    "F7": (99, 140),
    "F8": (99, 40),
    "P7": (93, -142),
    "P8": (93, -38),
    "FC1": (35, 129),
    "FC2": (36, 52),
    "CP1": (28, -140),
    "CP2": (29, -39),
    "FC5": (76, 156),
    "FC6": (76, 25),
    "CP5": (72, -160),
    "CP6": (72, -20),
    "PO3": (69, -114),
    "PO4": (70, -67),
    "FCz": (27, 91),
    "CPz": (18, -91),
    "POz": (61, -91),
    "AF3": (79, 110),
    "AF4": (79, 70),
    "AFz": (71, 90),
    "Fpz": (92, 90),
    "C1": (23, 170),
    "C2": (24, 11),
    "C5": (72, 178),
    "C6": (72, 3),
    "FC3": (54, 147),
    "FC4": (54, 33),
    "CP3": (49, -155),
    "CP4": (49, -25),
    "F1": (54, 111),
    "F2": (54, 69),
    "F5": (81, 135),
    "F6": (82, 45),
    "P1": (44, -115),
    "P2": (44, -64),
    "P5": (74, -139),
    "P6": (74, -42),
    "AF7": (97, 123),
    "AF8": (97, 58),
    "FT7": (99, 159),
    "FT8": (99, 22),
    "TP7": (96, -161),
    "TP8": (96, -19),
    "TP9": (118, -161),
    "TP10": (118, -20),
    "Iz": (104, -91),
}

ELECTRODES = tuple(_ANGLES_DEG)


def positions(names: Sequence[str]) -> NDArray[np.float64]:
    """Return where the electrodes of these 10-10 names are, (n, 3), on a head of radius 1.

    Right is +x, the nose +y, up +z.
    """
    inclination, azimuth = np.radians([_ANGLES_DEG[name] for name in names]).T
    across = np.sin(inclination)
    return np.column_stack(
        (across * np.cos(azimuth), across * np.sin(azimuth), np.cos(inclination))
    )


def spread(
    names: Sequence[str], sources: Sequence[str], width: float = 0.45
) -> NDArray[np.float64]:
    """Return how strongly sources under some electrodes are seen at others, (n_names, n_sources).

    Skull and scalp blur a cortical source over several centimetres; here with a Gaussian of the
    straight distance: ``exp(-d² / (2 width²))``, 1 at the electrode above the source.

    Parameters
    ----------
    names
        Where it is seen.
    sources
        Electrodes that lie above the sources.
    width
        In head radii (about 9 cm). 0.45 makes half of the amplitude appear 4.8 cm away, which is
        the spread of a focal radial source through the skull (Nunez & Srinivasan, Electric Fields
        of the Brain, 2006, ch. 8).
    """
    apart = positions(names)[:, None, :] - positions(sources)[None, :, :]
    return np.exp(-(apart**2).sum(axis=2) / (2 * width**2))
