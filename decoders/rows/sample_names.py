"""A window of samples as one row of features: how its features are named, and read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["WindowShape", "sample_names", "window_shape"]


@dataclass(frozen=True, slots=True)
class WindowShape:
    """What a row holds: the last samples of each channel, oldest first, channel by channel.

    Parameters
    ----------
    channels
        Their names.
    n_samples
        Of each.
    rate_hz
        Of the samples; that of the rows is the signal's own.
    """

    channels: tuple[str, ...]
    n_samples: int
    rate_hz: float


def sample_names(channels: Sequence[str], before_ms: Sequence[float]) -> tuple[str, ...]:
    """Return ``"Cz -250 ms"`` and so on: each channel at each of these times before the newest."""
    return tuple(f"{channel} {-ms:.6g} ms" for channel in channels for ms in before_ms)


def window_shape(signal: Signal) -> WindowShape:
    """Return what the rows of `signal` hold.

    Raises
    ------
    Mismatch
        They are no windows of samples.
    """
    parted = [name.removesuffix(" ms").rpartition(" ") for name in signal.channels]
    channels = tuple(channel for channel, _ in groupby(channel for channel, _, _ in parted))
    n_samples, rest = divmod(len(parted), len(channels))
    times = [ms for _, _, ms in parted]
    whole = not rest and n_samples > 1 and times == times[:n_samples] * len(channels)
    if not whole or not all(name.endswith(" ms") for name in signal.channels):
        raise Mismatch(
            "this decoder reads windows of samples; the steps put out "
            f"{', '.join(signal.channels[:3])}{' …' if len(parted) > 3 else ''}. "
            "Let the last stage be window, or epoch"
        )
    seconds = (float(times[-1]) - float(times[0])) / 1e3
    return WindowShape(channels, n_samples, (n_samples - 1) / seconds)
