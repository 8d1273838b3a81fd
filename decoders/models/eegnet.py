"""EEGNet: a compact convolutional network for windows of EEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from decoders.rows.sample_names import WindowShape
from decoders.stage import Mismatch
from decoders.training.windows import TrainedOnWindows

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Eegnet"]

_POOLS = 4 * 8


@dataclass(frozen=True)
class Eegnet(TrainedOnWindows):
    """Which class is it, by EEGNet-8,2: filters in time, filters in space, and a summary of each.

    Lawhern et al., "EEGNet: a compact convolutional neural network for EEG-based brain-computer
    interfaces", J. Neural Eng. 15, 2018, 056013. Reads rows of `window` (or `epoch`), made for
    about 128 values a second; each channel is brought to a deviation of 1 first. Trained as
    `Trained` says.

    Parameters
    ----------
    f1
        Filters in time.
    depth
        Filters in space for each of them.
    kernel_s
        Length of the filters in time.
    dropout
        Share of values that are hidden while it trains; the paper has 0.5 within a person, 0.25
        across people.
    """

    f1: int = 8
    depth: int = 2
    kernel_s: float = 0.5
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.f1 < 1 or self.depth < 1 or not self.kernel_s > 0 or not 0 <= self.dropout < 1:
            raise ValueError(
                "eegnet needs f1 and depth >= 1, kernel_s > 0 and dropout from 0 to below 1; it "
                f"has f1 = {self.f1}, depth = {self.depth}, kernel_s = {self.kernel_s}, "
                f"dropout = {self.dropout}"
            )

    def network(self, shape: WindowShape, n_classes: int) -> nn.Module:
        """Return a network that is not trained yet."""
        from decoders.networks.eegnet import EegNet

        if shape.n_samples < _POOLS:
            raise Mismatch(
                f"eegnet needs windows of at least {_POOLS} values a channel; they have "
                f"{shape.n_samples}. Use a longer window_s, or a smaller step"
            )
        return EegNet(
            len(shape.channels),
            shape.n_samples,
            n_classes,
            max(1, round(self.kernel_s * shape.rate_hz)),
            self.f1,
            self.depth,
            self.dropout,
        )
