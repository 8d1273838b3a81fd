"""ShallowConvNet: log power behind learned filters, for windows of EEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from decoders.rows.sample_names import WindowShape
from decoders.stage import Mismatch
from decoders.training.windows import TrainedOnWindows

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ShallowConvnet"]


@dataclass(frozen=True)
class ShallowConvnet(TrainedOnWindows):
    """Which class is it, by the power of learned filters: filter bank CSP as a network.

    Schirrmeister et al., "Deep learning with convolutional neural networks for EEG decoding and
    visualization", Hum. Brain Mapp. 38, 2017, 5391. Reads rows of `window`; each channel is
    brought to a deviation of 1 first. Trained as `Trained` says.

    Parameters
    ----------
    filters
        Filters in time, and as many in space.
    kernel_s
        Length of the filters in time.
    pool_s, stride_s
        What a mean power is taken over, and from one to the next.
    dropout
        Share of the powers that are hidden while it trains.
    """

    filters: int = 40
    kernel_s: float = 0.1
    pool_s: float = 0.3
    stride_s: float = 0.06
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.filters < 1 or not 0 <= self.dropout < 1:
            raise ValueError(
                "shallow_convnet needs filters >= 1 and dropout from 0 to below 1; it has "
                f"filters = {self.filters}, dropout = {self.dropout}"
            )
        if min(self.kernel_s, self.pool_s, self.stride_s) <= 0:
            raise ValueError(
                "shallow_convnet needs kernel_s, pool_s and stride_s > 0; it has "
                f"kernel_s = {self.kernel_s}, pool_s = {self.pool_s}, stride_s = {self.stride_s}"
            )

    def network(self, shape: WindowShape, n_classes: int) -> nn.Module:
        """Return a network that is not trained yet."""
        from decoders.networks.shallow_convnet import ShallowConvNet

        kernel, pool, stride = (
            max(1, round(seconds * shape.rate_hz))
            for seconds in (self.kernel_s, self.pool_s, self.stride_s)
        )
        if shape.n_samples < kernel + pool - 1:
            raise Mismatch(
                f"shallow_convnet needs windows of at least {kernel + pool - 1} values a channel "
                f"for kernel_s and pool_s; they have {shape.n_samples}. Use a longer window_s"
            )
        return ShallowConvNet(
            len(shape.channels),
            shape.n_samples,
            n_classes,
            kernel,
            pool,
            stride,
            self.filters,
            self.dropout,
        )
