from decoders.models.speech_conformer import SpeechConformer
from tests.contract.spoken import by_torch_of_sentences, spoken_training
from tests.contract.trainings import Case

CASES = [
    Case(recipe, spoken_training(8, sessions=sessions), by_torch_of_sentences)
    for recipe, sessions in (
        (
            SpeechConformer(
                epochs=2,
                width=8,
                heads=2,
                layers=2,
                inner=12,
                kernel=3,
                context=5,
                patch=6,
                stride=2,
                reduced=4,
                batch=4,
            ),
            1,
        ),
        (
            SpeechConformer(
                epochs=1, width=6, heads=1, layers=1, inner=6, kernel=1, context=2, batch=4
            ),
            2,
        ),
    )
]
