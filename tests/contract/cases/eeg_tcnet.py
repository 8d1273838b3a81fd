from decoders.models.eeg_tcnet import EegTcnet
from tests.contract.networks import by_torch_of_windows, window_training
from tests.contract.trainings import Case

CASES = [Case(EegTcnet(epochs=2), window_training(3), by_torch_of_windows)]
