import numpy as np
import pytest
import torch
from torch import nn

from decoders.training.journal import Journal
from decoders.training.loop import Objective, Schedule, reproducible, train

SCHEDULE = Schedule(epochs=12, patience=12, batch=8, learning_rate=0.02)


class Line:
    """Rows and their sum, drawn from a fixed seed; the targets of `shift` are off by so much."""

    def __init__(self, n=40, seed=0, shift=0.0):
        rng = np.random.default_rng(seed)
        self.x = torch.from_numpy(rng.standard_normal((n, 3)).astype(np.float32))
        self.y = self.x.sum(dim=1, keepdim=True) + shift

    def __len__(self):
        return len(self.x)

    def batch(self, at):
        return self.x[torch.from_numpy(at)], self.y[torch.from_numpy(at)]


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))


def trained(schedule=SCHEDULE, journal=None, objective=None, checking=None):
    with reproducible():
        net = network()
        loss = train(
            net,
            Line(),
            checking or Line(seed=1),
            objective or Objective(nn.functional.mse_loss),
            schedule,
            journal=journal or Journal(),
        )
    return net, loss


def bits(net):
    return {name: tensor.numpy().tobytes() for name, tensor in net.state_dict().items()}


def test_the_loss_on_what_is_held_out_falls():
    with torch.no_grad():
        before = float(nn.functional.mse_loss(network().eval()(Line(seed=1).x), Line(seed=1).y))
    net, loss = trained()
    assert loss < before / 4
    with torch.no_grad():
        assert float(nn.functional.mse_loss(net(Line(seed=1).x), Line(seed=1).y)) == pytest.approx(
            loss, rel=1e-5
        )


def test_one_seed_gives_one_network_to_the_bit_and_another_seed_another():
    one, again = trained()[0], trained()[0]
    other, _ = trained(Schedule(epochs=12, patience=12, batch=8, learning_rate=0.02, seed=5))
    assert bits(one) == bits(again)
    assert bits(one) != bits(other)


class Killed(Exception):
    pass


@pytest.mark.parametrize("epoch", [1, 5, 11])
def test_a_training_that_was_killed_goes_on_to_the_same_bits(tmp_path, epoch):
    def die(what, done):
        if done >= epoch / SCHEDULE.epochs:
            raise Killed

    with pytest.raises(Killed):
        trained(journal=Journal(tmp_path, die))
    said = []
    net, loss = trained(journal=Journal(tmp_path, lambda what, done: said.append(what)))
    assert len(said) == SCHEDULE.epochs - epoch
    whole, whole_loss = trained()
    assert (bits(net), loss) == (bits(whole), whole_loss)


def test_a_training_that_has_ended_is_not_done_again(tmp_path):
    first, loss = trained(journal=Journal(tmp_path))
    said = []
    again, same_loss = trained(journal=Journal(tmp_path, lambda what, done: said.append(what)))
    assert (bits(again), same_loss, said) == (bits(first), loss, [])


def test_it_stops_when_the_held_out_part_gets_no_better_and_keeps_its_best(tmp_path):
    said = []
    # The further it learns, the worse it does on targets of the other sign.
    wrong = Line(seed=1)
    wrong.y = -wrong.y
    schedule = Schedule(epochs=50, patience=3, batch=8, learning_rate=0.02)
    net, loss = trained(
        schedule, Journal(None, lambda what, done: said.append((what, done))), checking=wrong
    )
    assert len(said) < 50
    assert said[-1][1] == 1.0
    with torch.no_grad():
        assert float(nn.functional.mse_loss(net(wrong.x), wrong.y)) == pytest.approx(loss, rel=1e-5)


def test_a_penalty_makes_weights_small_and_a_constraint_holds():
    def small(net):
        return sum(p.abs().sum() for p in net.parameters())

    def size(net):
        return float(small(net).detach())

    def within(net):
        net[0].weight.clamp_(-0.1, 0.1)

    plain, _ = trained()
    penalized, _ = trained(objective=Objective(nn.functional.mse_loss, penalty=small))
    constrained, _ = trained(objective=Objective(nn.functional.mse_loss, constrain=within))
    assert size(penalized) < 0.8 * size(plain)
    assert float(constrained[0].weight.detach().abs().max()) == pytest.approx(0.1)


def test_a_loss_that_is_not_finite_is_said():
    with pytest.raises(FloatingPointError, match=r"lower learning_rate than 0\.02"):
        trained(objective=Objective(lambda said, meant: (said - meant).mean() * torch.inf))


def test_torch_is_left_as_it_was():
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    state = torch.get_rng_state()
    trained()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    assert torch.equal(torch.get_rng_state(), state)
