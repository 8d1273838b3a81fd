"""What networks are fitted on in the contract tests, and what torch itself says for them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.rnn import Rnn
from decoders.models.transformer import Transformer
from decoders.rows.sample_names import sample_names
from devices.signal import Signal

CHANNELS, SAMPLES, RATE_HZ = ("C3", "Cz", "C4"), 64, 64.0


def window_training(n_classes: int) -> Training:
    """Return trials in which a rhythm is loud on one channel, another for each class."""
    rng = np.random.default_rng(6)
    before_ms = [(SAMPLES - 1 - i) / RATE_HZ * 1e3 for i in range(SAMPLES)]
    signal = Signal(10.0, sample_names(CHANNELS, before_ms), "uV")
    targets = np.arange(10 * n_classes * 2) // 2 % n_classes
    windows = rng.standard_normal((len(targets), len(CHANNELS), SAMPLES)) * 10 + 1000
    rhythm = 30 * np.sin(2 * np.pi * 10 * np.arange(SAMPLES) / RATE_HZ)
    windows[np.arange(len(targets)), targets] += rhythm
    labels = ("left", "right", "feet")[:n_classes]
    rows = windows.reshape(len(windows), -1)
    return Training(signal, rows, targets, np.arange(len(targets)) // 2, labels)


def value_training() -> Training:
    """Return counts that follow two values, in two stretches."""
    rng = np.random.default_rng(7)
    values = np.cumsum(rng.standard_normal((300, 2)), axis=0) / 5
    rows = values @ rng.standard_normal((2, 6)) + rng.standard_normal((300, 6)) + 7
    signal = Signal(20.0, tuple("abcdef"), "1")
    return Training(signal, rows, values, np.arange(300) // 200, ("vx", "vy"), "m/s")


def by_torch_of_windows(recipe: Any, training: Training) -> NDArray[np.float64]:
    import torch

    from decoders.training.classes import classifier
    from decoders.training.loop import reproducible

    windows = training.features.reshape(-1, len(CHANNELS), SAMPLES).astype(np.float32)
    with reproducible(), torch.no_grad():
        with torch.enable_grad():
            network = classifier(recipe, training, recipe.network)
        return network(torch.from_numpy(windows)).double().numpy()


def by_torch_of_rows(recipe: Rnn, training: Training) -> NDArray[np.float64]:
    """Return what each whole stretch says in one pass."""
    import torch

    from decoders.training.loop import reproducible

    with reproducible():
        trainees = recipe.trainees(training)
        with torch.no_grad():
            said = [
                trainees.after(sum(member(rows) for member in trainees.members) / recipe.members)[0]
                for rows in (
                    trainees.before(torch.from_numpy(part.astype(np.float32)))[None]
                    for part in parts(training)
                )
            ]
    return torch.cat(said).double().numpy()


def by_torch_of_history(recipe: Transformer, training: Training) -> NDArray[np.float64]:
    import torch

    from decoders.training.history import Newest
    from decoders.training.loop import reproducible

    with reproducible():
        network = Newest(recipe.trainees(training)).eval()
        with torch.no_grad():
            said = [
                network(torch.from_numpy(part[i - recipe.history : i].astype(np.float32))[None])
                for part in parts(training)
                for i in range(recipe.history, len(part) + 1)
            ]
    return torch.cat(said).double().numpy()


def parts(training: Training) -> list[NDArray[np.float64]]:
    return [training.features[training.groups == g] for g in np.unique(training.groups)]
