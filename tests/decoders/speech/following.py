"""A session of speech that follows what is said, and what is made for it meanwhile."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.adapting.versions import weights_hash
from decoders.artifact import Artifact
from decoders.decoder import Event, Moment, Weights
from decoders.describe import describe, describe_pipeline
from decoders.output import Output, Prediction
from decoders.pipeline import Pipeline
from decoders.speech.utterance import Utterance
from devices.speech.phonemes import CLASSES, phoneme_ids
from devices.speech.pronunciation import phonemes_of
from tests.decoders.speech.test_recalibration import BLURRED, SIGNAL, TEXTS, TRUE, Mapped

QUIET, ENDS = 16, 3
"""Silent rows after each utterance, and after how many of them it has ended."""


@dataclass(frozen=True)
class Language:
    """Knows what is said: an utterance ends with three silent rows."""

    texts: tuple[str, ...] = tuple(TEXTS)
    hash: str = "abcdef012345"

    def load(self) -> Any:
        return self

    def problem_with_word(self, said: str) -> str:
        return "no word is new here"

    def listener(self) -> None:
        return None

    def start(self, rate_hz: float, hop: int) -> "Knowing":
        return Knowing(deque(self.texts))


@dataclass
class Knowing:
    texts: deque[str]
    utterances: list[Utterance] = field(default_factory=list)
    begun: int = -1
    quiet: int = 0

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        (heard,) = (o for o in outputs if isinstance(o, Prediction))
        if np.argmax(heard.probabilities) != 0:
            self.begun = moment.sample if self.begun < 0 else self.begun
            self.quiet = 0
            return outputs
        self.quiet += 1
        if self.quiet == ENDS and self.begun >= 0:
            last = moment.sample - ENDS
            self.utterances.append(Utterance(self.begun, last, self.texts.popleft(), 0.9))
            self.begun = -1
        return outputs

    def again(self) -> "Knowing":
        return Knowing(self.texts, self.utterances)


@dataclass(frozen=True)
class Spoken:
    """What comes in, and what is made: after each fourth utterance other weights."""

    decoder: Mapped
    model: Artifact
    pipeline: Pipeline
    rows: NDArray[np.float32]
    events: tuple[Event, ...]
    made: Mapping[str, Weights]


def follows_speech() -> Spoken:
    """Return a session of twenty utterances with four orders."""
    classes: list[int] = [0] * QUIET
    ends = []
    for text in TEXTS:
        classes += phoneme_ids(phonemes_of(text))
        ends.append(len(classes))
        classes += [0] * QUIET
    pipeline = Pipeline(0.02, language=Language())
    weights = {"matrix": BLURRED}
    model = Artifact(
        describe(Mapped()), describe_pipeline(pipeline), SIGNAL, CLASSES, "", weights, "0" * 64
    )
    made: dict[str, Weights] = {}
    events = []
    for number in range(1, 5):
        changed = {"matrix": (1 - 0.1 * number) * BLURRED + 0.1 * number * TRUE}
        name = weights_hash(changed)
        made[name] = changed
        told = (float(number), 4.0, 2.0, 2.0, 0.2, 0.1)
        at = ends[4 * number - 1] + ENDS + 2
        events.append(Event(at, f"made {name}", "adaptation", "adapt", told))
    rows = np.eye(len(CLASSES), dtype=np.float32)[classes]
    return Spoken(Mapped(), model, pipeline, rows, tuple(events), made)
