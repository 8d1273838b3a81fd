"""Weights that are made beside the loop, and come back to it as events bound to samples.

The loop asks once a turn, and never waits. What is worked on runs elsewhere, for seconds or
minutes; what came of it is an event like any feedback, so it is recorded, and a replay that finds
the weights beside the model decodes with them from the same sample on.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

from bci_server.scheduling import stand_back
from decoders.artifact import Artifact, ArtifactError
from decoders.decoder import Decoder, Event, Weights
from decoders.pipeline import Run
from decoders.speech.order import Made, Order
from decoders.speech.running import Language
from decoders.stage import Mismatch
from decoders.training.beside import Beside
from decoders.training.job import TrainingFailed

__all__ = ["Tuning"]

_SOURCE = "adaptation"


class Tuning:
    """Sees to one session's orders, one after another.

    Parameters
    ----------
    work
        Makes what is ordered; in another thread.
    made
        Where the arrays go that were made, by their hash: the run reads them there.
    stop
        Ends what is being worked on.
    executor
        Where it is worked; another one for tests.
    """

    def __init__(
        self,
        work: Callable[[Order], Made],
        made: dict[str, Weights],
        stop: Callable[[], None] = lambda: None,
        executor: Executor | None = None,
    ) -> None:
        self._work, self._made, self._stop = work, made, stop
        self._executor = executor or ThreadPoolExecutor(1, "tuning", initializer=stand_back)
        self._open: tuple[Order, Future[Made]] | None = None

    @classmethod
    def beside(
        cls,
        decoder: Decoder,
        artifact: Artifact,
        model: Path,
        made: dict[str, Weights],
        language: Language | None = None,
    ) -> Tuning:
        """Start one that works in processes of low priority, and keeps weights beside the model.

        `language` is what they load where what was heard teaches nothing.
        """
        work = Beside(decoder, artifact, model, language)
        return cls(work, made, work.stop)

    def turn(self, run: Run, newest: int) -> list[Event]:
        """Take orders, and return what came of the last one, said at the sample `newest`."""
        if run.adaptive is None:
            return []
        if self._open is None:
            order = run.adaptive.take_order()
            if order is not None:
                self._open = order, self._executor.submit(self._work, order)
            return []
        order, future = self._open
        if not future.done():
            return []
        self._open = None
        label, numbers = self._outcome(future)
        values = (float(order.number), *numbers)
        return [Event(newest, label, _SOURCE, "adapt", values)]

    def close(self) -> None:
        """End; what is being worked on is thrown away."""
        self._stop()
        self._executor.shutdown(cancel_futures=True)

    def _outcome(self, future: Future[Made]) -> tuple[str, tuple[float, ...]]:
        try:
            made = future.result()
        except (Mismatch, TrainingFailed, ArtifactError, OSError) as error:
            return f"unmade {error}", ()
        self._made[made.hash] = made.weights
        return f"made {made.hash}", made.numbers
