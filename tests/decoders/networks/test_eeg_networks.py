"""The networks for EEG, against what their papers say of them."""

import pytest
import torch

from decoders.networks.eeg_tcnet import EegTcNet
from decoders.networks.eegnet import EegNet
from decoders.networks.shallow_convnet import ShallowConvNet
from decoders.networks.standard import Mean, limit_norms


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def statistics(network):
    """Running means and variances, which some papers count among the parameters."""
    return sum(b.numel() for name, b in network.named_buffers() if "running" in name)


@pytest.mark.parametrize(
    ("n_channels", "n_samples", "n_classes", "f1", "kernel", "count"),
    [
        (64, 128, 2, 8, 64, 2258),  # Lawhern et al. 2018, table 3: P300, EEGNet-8,2
        (64, 128, 2, 4, 64, 1066),  # EEGNet-4,2
        (64, 192, 2, 8, 64, 2322),  # MRCP
        (64, 192, 2, 4, 64, 1098),
        (22, 256, 4, 8, 32, 1716),  # SMR, whose filters are half as long
        (22, 256, 4, 4, 32, 796),
    ],
)
def test_eegnet_has_as_many_parameters_as_in_its_paper(
    n_channels, n_samples, n_classes, f1, kernel, count
):
    assert parameters(EegNet(n_channels, n_samples, n_classes, kernel, f1)) == count


@pytest.mark.parametrize(
    ("n_channels", "n_samples", "n_classes", "count"),
    [(64, 128, 2, 104_002), (22, 256, 4, 40_644)],  # the same table, at 128 Hz
)
def test_shallow_convnet_has_as_many_parameters_as_in_lawhern_et_al(
    n_channels, n_samples, n_classes, count
):
    network = ShallowConvNet(n_channels, n_samples, n_classes, kernel=13, pool=35, stride=7)
    assert parameters(network) == count


def test_eeg_tcnet_has_as_many_parameters_as_in_its_paper():
    network = EegTcNet(22, 4)
    # 4.27 k with the statistics of batch normalisation, as Keras counts.
    assert parameters(network) + statistics(network) == 4272


def shapes(network, windows):
    """The shape after each layer that has no layers of its own."""
    seen = []
    for layer in network.modules():
        if not list(layer.children()):
            layer.register_forward_hook(
                lambda layer, _, out: seen.append((type(layer).__name__, tuple(out.shape[1:])))
            )
    with torch.no_grad():
        network.eval()(windows)
    return seen


def test_eegnets_layers_are_those_of_table_2():
    c, t, f1, d, f2 = 22, 256, 8, 2, 16
    found = shapes(EegNet(c, t, 4, 32), torch.zeros(1, c, t))
    expected = [
        ("Conv2d", (f1, c, t)),
        ("BatchNorm2d", (f1, c, t)),
        ("Conv2d", (d * f1, 1, t)),
        ("BatchNorm2d", (d * f1, 1, t)),
        ("ELU", (d * f1, 1, t)),
        ("AvgPool2d", (d * f1, 1, t // 4)),
        ("Dropout", (d * f1, 1, t // 4)),
        ("Conv2d", (d * f1, 1, t // 4)),
        ("Conv2d", (f2, 1, t // 4)),
        ("BatchNorm2d", (f2, 1, t // 4)),
        ("ELU", (f2, 1, t // 4)),
        ("AvgPool2d", (f2, 1, t // 32)),
        ("Dropout", (f2, 1, t // 32)),
        ("Linear", (4,)),
    ]
    assert [layer for layer in found if layer[0] != "ZeroPad2d"] == expected


def test_shallow_convnets_layers_are_those_of_its_paper():
    found = shapes(ShallowConvNet(22, 1125, 4), torch.zeros(1, 22, 1125))
    assert found == [
        ("Conv2d", (40, 22, 1101)),
        ("Conv2d", (40, 1, 1101)),
        ("BatchNorm2d", (40, 1, 1101)),
        ("AvgPool2d", (40, 1, 69)),
        ("Dropout", (40, 1, 69)),
        ("Linear", (4,)),
    ]


def test_eeg_tcnets_last_part_looks_back_only():
    torch.manual_seed(0)
    causal = EegTcNet(3, 2).eval().causal
    x = torch.randn(1, 16, 10)
    later = x.clone()
    later[:, :, 6:] += 1.0
    with torch.no_grad():
        assert torch.equal(causal(x)[:, :, :6], causal(later)[:, :, :6])
        assert not torch.equal(causal(x)[:, :, 6], causal(later)[:, :, 6])


def test_norms_are_brought_back_and_small_ones_left():
    weight = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    limit_norms(weight, 1.0)
    assert weight.tolist() == [pytest.approx([0.6, 0.8]), pytest.approx([0.3, 0.4])]


@pytest.mark.parametrize("network", [EegNet(3, 64, 2), ShallowConvNet(3, 128, 2), EegTcNet(3, 2)])
def test_constraints_hold_for_every_filter_in_space(network):
    spatial = network.spatial if isinstance(network, ShallowConvNet) else network.features.spatial
    with torch.no_grad():
        spatial.weight *= 100
        network.constrain()
    largest = 2.0 if isinstance(network, ShallowConvNet) else 1.0
    assert spatial.weight.detach().flatten(1).norm(dim=1).max() <= largest + 1e-5


def test_several_networks_say_the_mean_of_their_probabilities():
    torch.manual_seed(0)
    members = [EegNet(3, 64, 2).eval() for _ in range(3)]
    windows = torch.randn(4, 3, 64)
    with torch.no_grad():
        mean = sum(torch.softmax(m(windows), dim=1) for m in members) / 3
        assert torch.allclose(Mean(members)(windows), mean)
