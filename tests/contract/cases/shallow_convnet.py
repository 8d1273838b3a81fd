from decoders.models.shallow_convnet import ShallowConvnet
from tests.contract.networks import by_torch_of_windows, window_training
from tests.contract.trainings import Case

CASES = [Case(ShallowConvnet(epochs=2, filters=8), window_training(2), by_torch_of_windows)]
