import numpy as np
import pytest

from tests.bci_server.spoken_days import SPEECH, training, untrained


@pytest.fixture(scope="module")
def weights():
    return untrained().weights


@pytest.fixture(scope="module")
def heard():
    return training(["you can see"], 4)


def moved(weights, new):
    parts = [new[name] - weights[name] for name in ("day weight", "day bias")]
    return float(np.sqrt(sum(np.square(part).sum() for part in parts)))


def test_a_step_has_the_length_that_is_asked_for_and_moves_the_day_alone(weights, heard):
    for step in (0.01, 0.05):
        new = SPEECH.nudge(heard, weights, copies=4, step=step)
        size = float(np.linalg.norm(weights["day weight"][-1]))
        assert moved(weights, new) == pytest.approx(step * size, rel=1e-3)
        changed = {n for n, array in new.items() if not np.array_equal(array, weights[n])}
        assert changed == {"day weight", "day bias"}


def test_it_goes_towards_the_label(weights, heard):
    new = SPEECH.nudge(heard, weights, copies=16, step=0.02)
    assert loss(new, heard) < loss(weights, heard)


def test_the_same_step_is_the_same_to_the_bit(weights, heard):
    one, other = (SPEECH.nudge(heard, weights, copies=4, step=0.01) for _ in range(2))
    assert one["day weight"].tobytes() == other["day weight"].tobytes()


def loss(weights, heard):
    import torch

    from decoders.networks.speech_gru import Utterances
    from decoders.training.front_arrays import standard_of
    from decoders.training.gru_arrays import network_of

    values = torch.from_numpy(heard.features.astype(np.float32))
    network = network_of(weights, 1).eval()
    with torch.no_grad():
        said = network(Utterances(standard_of(weights)(values)[None], torch.zeros(1).long()))
        likely = torch.log_softmax(said, dim=2).transpose(0, 1)
        meant = torch.from_numpy(heard.spoken[None, :, 1])
        return float(
            torch.nn.functional.ctc_loss(
                likely, meant, torch.tensor([said.shape[1]]), torch.tensor([meant.shape[1]])
            )
        )
