"""EEG-TCNet: EEGNet's filters with a temporal convolutional network after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from decoders.rows.sample_names import WindowShape
from decoders.stage import Mismatch
from decoders.training.windows import TrainedOnWindows

if TYPE_CHECKING:
    from torch import nn

__all__ = ["EegTcnet"]

_POOLS = 8 * 8


@dataclass(frozen=True)
class EegTcnet(TrainedOnWindows):
    """Which class is it, by EEGNet's filters and causal, dilated convolutions over their outputs.

    Ingolfsson et al., "EEG-TCNet: an accurate temporal convolutional network for embedded
    motor-imagery brain-machine interfaces", IEEE Int. Conf. Syst. Man Cybern. 2020, 2958. Reads
    rows of `window`, made for windows of some seconds at 250 values a second; each channel is
    brought to a deviation of 1 first. Trained as `Trained` says.

    Parameters
    ----------
    f1
        Filters in time.
    depth
        Filters in space for each of them.
    kernel_s
        Length of the filters in time.
    filters, causal_kernel, layers
        Of the temporal convolutional network: filters a layer, their length in steps of 8 x 8
        values, and layers, dilated by 1, 2, 4 and so on.
    dropout, causal_dropout
        Share of values that are hidden while it trains: in EEGNet's blocks, and after.
    """

    f1: int = 8
    depth: int = 2
    kernel_s: float = 0.128
    filters: int = 12
    causal_kernel: int = 4
    layers: int = 2
    dropout: float = 0.2
    causal_dropout: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("f1", "depth", "filters", "causal_kernel", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.kernel_s > 0 or not 0 <= self.dropout < 1 or not 0 <= self.causal_dropout < 1:
            raise ValueError(
                "eeg_tcnet needs kernel_s > 0 and dropouts from 0 to below 1; it has kernel_s = "
                f"{self.kernel_s}, dropout = {self.dropout}, "
                f"causal_dropout = {self.causal_dropout}"
            )

    def network(self, shape: WindowShape, n_classes: int) -> nn.Module:
        """Return a network that is not trained yet."""
        from decoders.networks.eeg_tcnet import EegTcNet

        if shape.n_samples < _POOLS:
            raise Mismatch(
                f"eeg_tcnet needs windows of at least {_POOLS} values a channel; they have "
                f"{shape.n_samples}. Use a longer window_s, or a smaller step"
            )
        return EegTcNet(
            len(shape.channels),
            n_classes,
            max(1, round(self.kernel_s * shape.rate_hz)),
            self.f1,
            self.depth,
            self.filters,
            self.causal_kernel,
            self.layers,
            self.dropout,
            self.causal_dropout,
        )
