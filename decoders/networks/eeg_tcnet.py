"""EEG-TCNet (Ingolfsson et al., IEEE Int. Conf. Syst. Man Cybern. 2020, 2958)."""

from __future__ import annotations

from torch import Tensor, nn

from decoders.networks.eegnet import EegNetFeatures

__all__ = ["EegTcNet"]


class _CausalBlock(nn.Module):
    """Two dilated convolutions that look back only, and a way around them."""

    def __init__(self, n_in: int, n_out: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        past = nn.ConstantPad1d(((kernel - 1) * dilation, 0), 0.0)
        layers: list[nn.Module] = []
        for n in (n_in, n_out):
            layers += [
                past,
                nn.Conv1d(n, n_out, kernel, dilation=dilation),
                nn.BatchNorm1d(n_out),
                nn.ELU(),
                nn.Dropout(dropout),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.around = nn.Identity() if n_in == n_out else nn.Conv1d(n_in, n_out, 1)
        self.elu = nn.ELU()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.elu(self.convolutions(x) + self.around(x))
        return out


class EegTcNet(nn.Module):
    """EEGNet's blocks, then a temporal convolutional network over what they put out.

    Parameters
    ----------
    n_channels, n_classes
        Sizes.
    kernel
        K_E, samples of the temporal filters; 32 at 250 Hz.
    f1, depth
        F1 and D; F2 is their product.
    filters, causal_kernel, layers
        F_T, K_T and L of the temporal convolutional network; its layers are dilated by 1, 2, 4 …
    dropout, causal_dropout
        p_e in EEGNet's blocks, p_t in the network after.
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        kernel: int = 32,
        f1: int = 8,
        depth: int = 2,
        filters: int = 12,
        causal_kernel: int = 4,
        layers: int = 2,
        dropout: float = 0.2,
        causal_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        f2 = f1 * depth
        self.features = EegNetFeatures(
            n_channels, f1, depth, f2, kernel, pools=(8, 8), dropout=dropout
        )
        self.causal = nn.Sequential(
            *(
                _CausalBlock(filters if i else f2, filters, causal_kernel, 2**i, causal_dropout)
                for i in range(layers)
            )
        )
        self.classes = nn.Linear(filters, n_classes)

    def forward(self, windows: Tensor) -> Tensor:
        """Return (n, n_classes) scores of windows (n, n_channels, n_samples)."""
        scores: Tensor = self.classes(self.causal(self.features(windows))[:, :, -1])
        return scores

    def constrain(self) -> None:
        """Bring the spatial filters back to a norm of at most 1."""
        self.features.constrain()
