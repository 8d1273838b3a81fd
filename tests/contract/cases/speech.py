from decoders.models.speech import Speech
from tests.contract.spoken import by_torch_of_sentences, spoken_training
from tests.contract.trainings import Case

CASES = [
    Case(recipe, spoken_training(8, sessions=sessions), by_torch_of_sentences)
    for recipe, sessions in (
        (Speech(epochs=2, units=8, layers=2, patch=6, stride=2, reduced=4, batch=4), 1),
        (Speech(epochs=1, units=6, layers=3, patch=14, stride=4, batch=4), 2),
    )
]
