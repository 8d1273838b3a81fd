"""Spatially embedded recurrent networks, against torch."""

from decoders.models.sernn import Sernn
from tests.contract.networks import by_torch_of_rows, value_training
from tests.contract.trainings import Case

SMALL = Sernn(shape=(2, 2, 2), epochs=2, batch=4, sequence=16)

CASES = [
    Case(SMALL, value_training(), by_torch_of_rows),
    Case(
        Sernn(shape=(3, 2, 1), epochs=2, batch=4, sequence=16, members=2),
        value_training(),
        by_torch_of_rows,
    ),
]
