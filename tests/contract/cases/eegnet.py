from decoders.models.eegnet import Eegnet
from tests.contract.networks import by_torch_of_windows, window_training
from tests.contract.trainings import Case

CASES = [
    Case(Eegnet(epochs=2, members=2), window_training(2), by_torch_of_windows),
    Case(Eegnet(epochs=1, f1=4, depth=1), window_training(3), by_torch_of_windows),
]
