"""Recipes that cannot be trained: they come to an end without loading what trains."""

from dataclasses import dataclass

from decoders.decoder import Training, Weights
from decoders.stage import Mismatch
from decoders.training.journal import Journal
from decoders.training.recipe import Trained


@dataclass(frozen=True)
class Refusing(Trained):
    def train(self, training: Training, journal: Journal) -> Weights:
        raise Mismatch(f"{len(training.features)} rows are too few")


@dataclass(frozen=True)
class Failing(Trained):
    def train(self, training: Training, journal: Journal) -> Weights:
        journal.tell("about to fail", 0.5)
        raise RuntimeError("the last words")
