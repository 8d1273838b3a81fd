"""Sentences as they were heard, of a simulated channel or a network, and what a language says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from line import ROOT
from numpy.typing import NDArray
from speech_channel import Channel

from decoders.decoder import Moment
from decoders.output import Prediction, Token
from decoders.speech.language import Loaded
from devices.speech.phonemes import BOUNDARY, CLASSES

assert ROOT  # found first, so that the packages of this tree are

RATE_HZ, HOP, STEP = 1000.0, 20, 80
NOISE, SEED = 1.4, 20260601
BOUND = CLASSES.index(BOUNDARY)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence as a network heard it: (n_steps, n_classes), and each word's last step."""

    words: list[str]
    heard: NDArray[np.float64]
    ends: list[int]


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of it: a step and a token each; and each step's time, by clock and thread."""

    tokens: list[tuple[int, Token]]
    took_s: list[float]
    cpu_s: list[float]

    @property
    def words(self) -> list[str]:
        """The final words."""
        return [t.text for _, t in self.tokens if t.is_final and t.text]


def through_channel(texts: Sequence[str], noise: float) -> Iterator[Spoken]:
    """Say sentences through the channel."""
    channel = Channel(noise, SEED)
    for text in texts:
        words = text.split()
        yield Spoken(words, *channel.say(words))


def of_network(path: Path) -> Iterator[Spoken]:
    """Return the sentences of a file; where their words end is taken from the boundaries heard."""
    with np.load(path) as file:
        rows, lengths, texts = file["probabilities"], file["lengths"], file["texts"]
    quiet = np.zeros((13, len(CLASSES)))
    quiet[:, 0] = 1.0
    at = 0
    for length, text in zip(lengths.tolist(), texts.tolist(), strict=True):
        heard = np.concatenate([rows[at : at + length].astype(float), quiet])
        at += length
        yield Spoken(text.split(), heard, np.flatnonzero(heard.argmax(axis=1) == BOUND).tolist())


def speak(loaded: Loaded, heard: NDArray[np.float64], pause_s: float = 0.0) -> Said:
    """Run the language over a sentence; with `pause_s`, wait so long before each step."""
    speaking = loaded.start(RATE_HZ, HOP)
    tokens, took, worked = [], [], []
    for step, row in enumerate(heard):
        outputs = (Prediction(CLASSES, tuple(row.tolist())),)
        moment = Moment((step + 1) * STEP - 1, 0.0)
        if pause_s:
            time.sleep(pause_s)
        begin, began = time.perf_counter(), time.thread_time()
        said = speaking(outputs, moment)
        worked.append(time.thread_time() - began)
        took.append(time.perf_counter() - begin)
        tokens += [(step, token) for token in said if isinstance(token, Token)]
    return Said(tokens, took, worked)


def key(text: str) -> tuple[str, Any]:
    """Return the name and the value of ``name=value``."""
    name, _, value = text.partition("=")
    return name, json.loads(value)
