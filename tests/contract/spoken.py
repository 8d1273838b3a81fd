"""What decoders of speech are fitted on in the contract tests."""

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.speech import Speech
from decoders.models.speech_conformer import SpeechConformer
from devices.signal import Signal
from devices.speech.phonemes import CLASSES
from tests.contract.trainings import fitted

ROWS = Signal(50.0, tuple(f"e{i}" for i in range(10)), "1")


def spoken_training(n: int = 12, seed: int = 3, sessions: int = 1, shift: float = 0.0) -> Training:
    """Return sentences of a few phonemes, each a pattern of its own over the features.

    Before each lies silence, and none is said twice in a row. Sentences follow each other without
    a gap, but for one in the middle. `shift` is what another day adds, in the features' deviations.
    """
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(1).standard_normal((len(CLASSES), ROWS.n_channels)) * 2
    patterns[0] = 0
    rows, groups, ages, spoken, days = [], [], [], [], []
    for sentence in range(n):
        names = np.array([1, 5, 9, 40])[np.cumsum(rng.integers(1, 4, int(rng.integers(2, 6)))) % 4]
        silent = int(rng.integers(6, 16))
        of_row = np.concatenate([[0] * silent, np.repeat(names, 6), [0] * 16]).astype(np.int64)
        rows.append(patterns[of_row])
        groups += [sentence] * len(of_row)
        ages.append(np.arange(len(of_row)) - silent)
        days += [sentence * sessions // n] * len(of_row)
        spoken += [(sentence, name) for name in names]
    values = np.concatenate(rows) + shift * np.random.default_rng(2).standard_normal(
        ROWS.n_channels
    )
    values += 0.3 * rng.standard_normal(values.shape)
    return Training(
        ROWS,
        values,
        (np.array(groups) >= n // 2).astype(np.int64),
        np.array(groups),
        CLASSES,
        ages=np.concatenate(ages),
        sessions=np.array(days) if sessions > 1 else None,
        spoken=np.array(spoken),
    )


def by_torch_of_sentences(
    recipe: Speech | SpeechConformer, training: Training
) -> NDArray[np.float64]:
    """Return what each stretch of sentences says in one pass."""
    import torch

    from decoders.networks.speech_gru import Utterances
    from decoders.training import conformer_arrays, gru_arrays
    from decoders.training.front_arrays import standard_of

    weights = fitted(recipe, training)
    arrays = gru_arrays if isinstance(recipe, Speech) else conformer_arrays
    network, standard = arrays.network_of(weights, 1).eval(), standard_of(weights)
    with torch.no_grad():
        said = [
            network(Utterances(standard(torch.from_numpy(rows))[None], torch.zeros(1).long()))[0]
            for rows in stretches(training)
        ]
    return torch.softmax(torch.cat(said).double(), dim=1).numpy()


def stretches(training: Training) -> list[NDArray[np.float32]]:
    """Return the rows that follow each other without a gap."""
    rows = training.features.astype(np.float32)
    return [rows[training.targets == number] for number in np.unique(training.targets)]
