"""Sentences that somebody says, on the first day and on one that has drifted, as rows of features.

Made in memory: each phoneme is a pattern over the features. A small network learns them in seconds.
"""

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace

import numpy as np

from decoders.artifact import Artifact
from decoders.decoder import Training
from decoders.describe import describe, describe_pipeline
from decoders.models.speech import Speech
from decoders.pipeline import Pipeline
from decoders.speech.sentences import Sentences
from devices.signal import Signal
from devices.speech.phonemes import CLASSES, phoneme_ids
from devices.speech.pronunciation import phonemes_of

RATE_HZ = 50.0
N_FEATURES = 16
SIGNAL = Signal(RATE_HZ, tuple(f"e{i}" for i in range(N_FEATURES)), "1")
WORDS = ("i", "you", "can", "see", "no")
BEFORE, LONG, AFTER = 35, 6, 25
"""Rows of silence before a sentence, of each phoneme, and of silence after."""
SPEECH = Speech(
    epochs=20,
    patience=20,
    units=24,
    layers=1,
    patch=8,
    stride=4,
    batch=4,
    learning_rate=2e-2,
    dropout_in=0.0,
    dropout=0.0,
    noise=0.1,
    offset=0.0,
    hidden=0.0,
    sentences=1,
    tune_epochs=15,
    tune_rate=1e-2,
)
PIPELINE = Pipeline(1 / RATE_HZ, sentences=Sentences())


def texts(n, seed):
    """`n` sentences of three or four words; none has the same word twice in a row."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        at = np.cumsum(rng.integers(1, len(WORDS), int(rng.integers(3, 5)))) % len(WORDS)
        found.append(" ".join(WORDS[k] for k in at))
    return found


def rows(said, seed, drift=0.0):
    """Return (n, n_features) float32; `drift` moves gains and offsets, as days do."""
    patterns = 2 * np.random.default_rng(1).standard_normal((len(CLASSES), N_FEATURES))
    patterns[0] = 0.0
    of_row = [k for text in said for k in _classes(text)]
    rng = np.random.default_rng(seed)
    values = patterns[of_row] + 0.4 * rng.standard_normal((len(of_row), N_FEATURES))
    day = np.random.default_rng(2)
    gains = np.exp(drift * 0.8 * day.standard_normal(N_FEATURES))
    return (values * gains + drift * 1.5 * day.standard_normal(N_FEATURES)).astype(np.float32)


def training(said, seed):
    """Return the sentences as a decoder is fitted on them."""
    lengths = [len(_classes(text)) for text in said]
    groups = np.repeat(np.arange(len(said)), lengths)
    return Training(
        SIGNAL,
        rows(said, seed).astype(np.float64),
        np.zeros(len(groups), np.int64),
        groups,
        CLASSES,
        ages=np.concatenate([np.arange(n) - BEFORE for n in lengths]),
        spoken=np.array(
            [(n, k) for n, text in enumerate(said) for k in phoneme_ids(phonemes_of(text))]
        ),
    )


def first_day():
    """Return the model of the first day."""
    fitted = training(texts(36, 0), 3)
    described = describe(SPEECH), describe_pipeline(PIPELINE)
    return Artifact(*described, SIGNAL, CLASSES, "", SPEECH.fit(fitted), training_sha256="0" * 64)


def untrained():
    """Return a model that knows nothing yet: where only the way of the weights matters."""
    described = describe(SPEECH), describe_pipeline(PIPELINE)
    knows_little = replace(SPEECH, epochs=1).fit(training(texts(3, 0), 3))
    return Artifact(*described, SIGNAL, CLASSES, "", knows_little, training_sha256="0" * 64)


def _classes(text):
    spoken = [k for k in phoneme_ids(phonemes_of(text)) for _ in range(LONG)]
    return [0] * BEFORE + spoken + [0] * AFTER


@dataclass
class AtOnce(Executor):
    """Does what it is given at once, and counts."""

    n: int = 0
    given: list = field(default_factory=list)

    def submit(self, work, *given):
        self.n += 1
        self.given += given
        future = Future()
        try:
            future.set_result(work(*given))
        except Exception as error:  # whatever it is, the one who asks for the result gets it
            future.set_exception(error)
        return future
