from decoders.models.transformer import Transformer
from tests.contract.networks import by_torch_of_history, value_training
from tests.contract.trainings import Case

CASES = [
    Case(
        Transformer(epochs=2, history=4, warm_up=1, width=8, heads=2, inner=16, members=2),
        value_training(),
        by_torch_of_history,
    )
]
