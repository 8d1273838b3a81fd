from decoders.models.rnn import Rnn
from tests.contract.networks import by_torch_of_rows, value_training
from tests.contract.trainings import Case

CASES = [
    Case(recipe, value_training(), by_torch_of_rows)
    for recipe in (
        Rnn(epochs=2, units=8, stretch=20, warm_up=4, members=2),
        Rnn(epochs=2, cell="gru", layers=2, units=8, stretch=20, warm_up=4),
    )
]
