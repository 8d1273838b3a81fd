"""EEGNet (Lawhern et al., J. Neural Eng. 15, 2018, 056013)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from decoders.networks.standard import limit_norms

__all__ = ["EegNet", "EegNetFeatures", "same_length"]

_BATCH_NORM_EPS = 1e-3


def same_length(kernel: int) -> nn.ZeroPad2d:
    """Return the zeros around a signal that a filter of `kernel` samples does not shorten."""
    return nn.ZeroPad2d(((kernel - 1) // 2, kernel // 2, 0, 0))


class EegNetFeatures(nn.Module):
    """The two convolutional blocks of the paper's table 2.

    Parameters
    ----------
    n_channels
        Electrodes.
    f1, depth, f2
        Temporal filters F1, spatial filters a temporal one D, pointwise filters F2.
    kernel, separable_kernel
        Lengths of the filters in samples.
    pools
        By which the two blocks divide the number of samples.
    dropout
        After each block.
    """

    def __init__(
        self,
        n_channels: int,
        f1: int,
        depth: int,
        f2: int,
        kernel: int,
        separable_kernel: int = 16,
        pools: tuple[int, int] = (4, 8),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        wide = f1 * depth
        self.spatial = nn.Conv2d(f1, wide, (n_channels, 1), groups=f1, bias=False)
        self.blocks = nn.Sequential(
            same_length(kernel),
            nn.Conv2d(1, f1, (1, kernel), bias=False),
            nn.BatchNorm2d(f1, eps=_BATCH_NORM_EPS),
            self.spatial,
            nn.BatchNorm2d(wide, eps=_BATCH_NORM_EPS),
            nn.ELU(),
            nn.AvgPool2d((1, pools[0])),
            nn.Dropout(dropout),
            same_length(separable_kernel),
            nn.Conv2d(wide, wide, (1, separable_kernel), groups=wide, bias=False),
            nn.Conv2d(wide, f2, 1, bias=False),
            nn.BatchNorm2d(f2, eps=_BATCH_NORM_EPS),
            nn.ELU(),
            nn.AvgPool2d((1, pools[1])),
            nn.Dropout(dropout),
        )

    def forward(self, windows: Tensor) -> Tensor:
        """Return (n, f2, n_samples / pools) of windows (n, n_channels, n_samples)."""
        return torch.squeeze(self.blocks(windows.unsqueeze(1)), 2)

    def constrain(self) -> None:
        """Bring the spatial filters back to a norm of at most 1."""
        limit_norms(self.spatial.weight, 1.0)


class EegNet(nn.Module):
    """EEGNet-F1,D: the two blocks, then one linear layer.

    Parameters
    ----------
    n_channels, n_samples, n_classes
        Sizes.
    kernel
        Length of the temporal filters in samples: half the sampling rate.
    f1, depth
        F1 and D; F2 is their product.
    dropout
        0.5 within a person, 0.25 across people.
    """

    def __init__(
        self,
        n_channels: int,
        n_samples: int,
        n_classes: int,
        kernel: int = 64,
        f1: int = 8,
        depth: int = 2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        f2 = f1 * depth
        self.features = EegNetFeatures(n_channels, f1, depth, f2, kernel, dropout=dropout)
        self.classes = nn.Linear(f2 * (n_samples // 4 // 8), n_classes)

    def forward(self, windows: Tensor) -> Tensor:
        """Return (n, n_classes) scores of windows (n, n_channels, n_samples)."""
        scores: Tensor = self.classes(self.features(windows).flatten(1))
        return scores

    def constrain(self) -> None:
        """Bring weights back within the paper's norms: 1 for spatial filters, 0.25 for classes."""
        self.features.constrain()
        limit_norms(self.classes.weight, 0.25)
