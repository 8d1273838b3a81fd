"""ShallowConvNet (Schirrmeister et al., Hum. Brain Mapp. 38, 2017, 5391)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from decoders.networks.standard import limit_norms

__all__ = ["ShallowConvNet"]

_FLOOR = 1e-6


class ShallowConvNet(nn.Module):
    """Filter bank common spatial patterns as a network: log power behind learned filters.

    Temporal and spatial convolutions without anything between them, square, mean over time,
    logarithm, one linear layer.

    Parameters
    ----------
    n_channels, n_samples, n_classes
        Sizes.
    kernel, pool, stride
        Samples: of the temporal filters, of the mean, and from one mean to the next. The paper's
        25, 75 and 15 are for 250 Hz.
    filters
        Temporal ones, and as many spatial ones.
    dropout
        Before the last layer.
    """

    def __init__(
        self,
        n_channels: int,
        n_samples: int,
        n_classes: int,
        kernel: int = 25,
        pool: int = 75,
        stride: int = 15,
        filters: int = 40,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.temporal = nn.Conv2d(1, filters, (1, kernel))
        self.spatial = nn.Conv2d(filters, filters, (n_channels, 1), bias=False)
        self.norm = nn.BatchNorm2d(filters)
        self.pool = nn.AvgPool2d((1, pool), (1, stride))
        self.dropout = nn.Dropout(dropout)
        n_means = (n_samples - kernel + 1 - pool) // stride + 1
        self.classes = nn.Linear(filters * n_means, n_classes)

    def forward(self, windows: Tensor) -> Tensor:
        """Return (n, n_classes) scores of windows (n, n_channels, n_samples)."""
        x = self.norm(self.spatial(self.temporal(windows.unsqueeze(1))))
        x = torch.log(torch.clamp(self.pool(x * x), min=_FLOOR))
        scores: Tensor = self.classes(self.dropout(x).flatten(1))
        return scores

    def constrain(self) -> None:
        """Bring filters back to a norm of at most 2, the last layer's rows to 0.5."""
        limit_norms(self.temporal.weight, 2.0)
        limit_norms(self.spatial.weight, 2.0)
        limit_norms(self.classes.weight, 0.5)
