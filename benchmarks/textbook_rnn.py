"""A recurrent network as a textbook trains it: nothing hidden, nothing cut, nothing added."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from decoders.decoder import Training
from decoders.models.rnn import Rnn
from decoders.training.journal import SILENT, Journal

if TYPE_CHECKING:
    from decoders.training.values import Trainees

__all__ = ["TextbookRnn"]


@dataclass(frozen=True)
class TextbookRnn(Rnn):
    """`Rnn` on standardized features as they are, without dropout, cut, offsets or weight decay."""

    weight_decay: float = 0.0
    dropout_in: float = 0.0
    dropout: float = 0.0

    def trainees(self, training: Training, journal: Journal = SILENT) -> Trainees:
        """Return the trained networks; call it within `reproducible`."""
        from decoders.training.values import Stretches, train_members

        stretches = Stretches(self.stretch, self.stride, self.warm_up)
        return train_members(self, training, stretches, self.network, journal, limit=math.inf)
