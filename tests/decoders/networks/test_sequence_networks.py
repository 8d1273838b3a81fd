"""The networks for rows that follow each other, against formulas, torch's own, and themselves."""

import pytest
import torch
from torch import nn

from decoders.networks.causal_transformer import CausalTransformer
from decoders.networks.recurrent import Recurrent, RecurrentStep


def parameters(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3)])
@pytest.mark.parametrize("layers", [1, 2])
def test_recurrent_layers_have_as_many_parameters_as_their_gates_need(cell, gates, layers):
    n, h, k = 196, 96, 2
    network = Recurrent(n, k, cell, h, layers, 0.1, 0.1)
    # Each gate sees the input and the state, and has two biases (as cuDNN has).
    expected = gates * h * (n + h + 2) + (layers - 1) * gates * h * (h + h + 2)
    assert parameters(network) == expected + k * h + k


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 2])
def test_steps_one_by_one_say_what_the_whole_pass_says(cell, layers):
    torch.manual_seed(0)
    members = [Recurrent(5, 2, cell, 7, layers, 0.5, 0.5).eval() for _ in range(2)]
    step = RecurrentStep(nn.Identity(), members, nn.Identity()).eval()
    rows = torch.randn(1, 30, 5)
    state = torch.zeros(2, *members[0].state_shape)
    with torch.no_grad():
        whole = (members[0](rows) + members[1](rows)) / 2
        for t in range(30):
            values, state = step(rows[:, t], state)
            assert torch.allclose(values, whole[:, t], atol=1e-6)


def test_offsets_are_learned_with_one_a_feature_and_sequence_and_never_live():
    seen = []
    network = Recurrent(5, 2, "lstm", 7, 1, 0.0, 0.0, offsets=0.5)
    network.dropout_in.register_forward_hook(lambda _module, rows, _out: seen.append(rows[0]))
    rows = torch.zeros(400, 6, 5)
    network.train()(rows)
    network.eval()(rows)
    learned, live = seen
    assert torch.equal(learned, learned[:, :1].expand(-1, 6, -1))
    assert float(learned[:, 0].std()) == pytest.approx(0.5, rel=0.1)
    assert torch.equal(live, rows)


def transformer(n_rows=12):
    torch.manual_seed(0)
    return CausalTransformer(5, 2, n_rows, 16, 4, 2, 24, 0.1, 0.1).eval()


def test_a_block_is_torchs_encoder_layer_with_normalisation_first():
    block = transformer().blocks[0]
    reference = nn.TransformerEncoderLayer(
        16, 4, 24, 0.1, "gelu", batch_first=True, norm_first=True
    ).eval()
    attention = reference.self_attn
    pairs = [
        (attention.in_proj_weight, block.queries_keys_values.weight),
        (attention.in_proj_bias, block.queries_keys_values.bias),
        (attention.out_proj.weight, block.mixed.weight),
        (attention.out_proj.bias, block.mixed.bias),
    ]
    for theirs, ours in [
        (reference.linear1, block.inner),
        (reference.linear2, block.outer),
        (reference.norm1, block.norm1),
        (reference.norm2, block.norm2),
    ]:
        pairs += [(theirs.weight, ours.weight), (theirs.bias, ours.bias)]
    assert parameters(reference) == parameters(block)
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.copy_(ours)
        x = torch.randn(3, 12, 16)
        later = torch.full((12, 12), float("-inf")).triu(1)
        assert torch.allclose(reference(x, src_mask=later), block(x), atol=1e-5)


def test_what_is_said_of_a_row_rests_on_it_and_those_before():
    network, rows = transformer(), torch.randn(1, 12, 5)
    later = rows.clone()
    later[:, 7:] += 1.0
    with torch.no_grad():
        assert torch.equal(network(rows)[:, :7], network(later)[:, :7])
        assert not torch.equal(network(rows)[:, 7], network(later)[:, 7])


def test_where_a_row_stands_counts():
    network, row = transformer(), torch.randn(1, 1, 5)
    network.positions.data *= 50
    with torch.no_grad():
        said = network(row.expand(1, 12, 5))
    assert not torch.allclose(said[:, 0], said[:, 11], atol=1e-3)
