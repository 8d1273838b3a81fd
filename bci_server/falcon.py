"""A session's decoder in the shape that the FALCON benchmark evaluates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bci_server.config import load_session
from decoders.artifact import Artifact
from decoders.output import Command, Voice
from decoders.pipeline import Run
from decoders.stage import Mismatch
from devices.signal import Chunk

__all__ = ["FalconDecoder"]


class FalconDecoder:
    """A calibrated session behind ``falcon_challenge.interface.BCIDecoder``'s methods.

    The benchmark's evaluator asks for nothing else, so its package need not be installed. Each
    observation is one sample of the session's stream; a ``hop_s`` of one bin gives a new value for
    each. Until the first value, and after a NaN until there is one again, values are 0.

    Parameters
    ----------
    session
        The session file, with a continuous decoder.
    model
        Folder of the model; None: the one that the session names.
    batch_size
        How many streams are decoded side by side.
    task_config
        Kept for the evaluator, unread.

    Raises
    ------
    BadSession, ArtifactError, Mismatch
        The session, its model, or both together cannot be used.
    """

    def __init__(
        self,
        session: Path | str,
        model: Path | str | None = None,
        batch_size: int = 1,
        task_config: object = None,
    ) -> None:
        self._session = load_session(Path(session))
        self._model = Artifact.load(Path(model) if model else self._session.model)
        if self._session.decoder.task != "continuous":
            raise Mismatch(
                f"FALCON asks for values; {self._model.kind} says which class it is. Take a "
                "continuous decoder (ridge, kalman …)"
            )
        self._task_config = task_config
        self.set_batch_size(batch_size)

    def set_batch_size(self, batch_size: int) -> None:
        """Decode so many streams from now on, all anew."""
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        self.batch_size = batch_size
        self._values = np.zeros((batch_size, len(self._model.labels)))
        self.reset()

    def reset(self, dataset_tags: list[str] | None = None) -> None:
        """Begin all streams anew. A model is of one session, so the tags change nothing."""
        self._runs = [self._run() for _ in range(self.batch_size)]
        self._values[:] = 0.0
        self._seen = 0

    def predict(self, neural_observations: NDArray[np.number]) -> NDArray[np.float64]:
        """Return (batch_size, n_values) for (batch_size, n_channels), the next bin of each.

        Raises
        ------
        Mismatch
            The observations are not so many channels as the model was fitted on.
        """
        seen = np.atleast_2d(np.asarray(neural_observations, np.float32))
        expected = (self.batch_size, self._model.signal.n_channels)
        if seen.shape != expected:
            raise Mismatch(f"the decoder takes observations of {expected}, not of {seen.shape}")
        time_s = np.array([self._seen / self._model.signal.rate_hz])
        self._seen += 1
        for i, run in enumerate(self._runs):
            for decoded in run.feed(Chunk(time_s, seen[i : i + 1])):
                if decoded.bad_channels or decoded.gap:
                    self._values[i] = 0.0
                for output in decoded.outputs:
                    if isinstance(output, Command | Voice):
                        self._values[i] = output.values
        return self._values.copy()

    def observe(self, neural_observations: NDArray[np.number]) -> None:
        """Take bins in that nobody asks about."""
        self.predict(neural_observations)

    def on_done(self, dones: NDArray[np.bool_]) -> None:
        """Go on: neural activity does not end with a trial."""

    def _run(self) -> Run:
        session = self._session
        return self._model.run(self._model.signal, session.pipeline, session.decoder)
