"""What another day costs a decoder of speech, and what brings it back.

Of each day: the phoneme error rate of the calibrated model as it is; settled on the rows of that
day's calibration; tuned on its first sentences; recalibrated without labels, by what it and a
language heard in the whole of it (``bci calibrate --pseudo-labels``); and what becomes of a storm
of wrong labels, with the gate and without it. The rates are of test sentences of that day that
nothing was tuned to; what is *recovered* is the part of the loss since the first day. Ranges are
of 95 %, bootstrapped over the test sentences of both days.

    python benchmarks/speech_days.py SESSION MODEL FIRST_DAY_TEST.xdf \
        CALIBRATION_DAY30.xdf:TEST_DAY30.xdf …

Recordings: examples/speech/simulated.py makes them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - found by the line above, like the rest
from numpy.typing import NDArray  # noqa: E402

from bci_server.config import Session, load_session  # noqa: E402
from decoders.artifact import Artifact  # noqa: E402
from decoders.calibrating.calibration import one_thread  # noqa: E402
from decoders.decoder import Settling, Training, Tunable, Weights  # noqa: E402
from decoders.gathering import Gathered, gather  # noqa: E402
from decoders.speech.gate import Gate  # noqa: E402
from decoders.speech.held_out_scores import best_paths  # noqa: E402
from decoders.speech.language import Language  # noqa: E402
from decoders.speech.learning import spoken_training  # noqa: E402
from decoders.speech.phoneme_errors import distance  # noqa: E402
from decoders.speech.recalibration import recalibrate  # noqa: E402
from decoders.speech.spoken_sentences import spoken_sentences  # noqa: E402
from decoders.stage import Mismatch  # noqa: E402
from devices.adapters.recording import Recording  # noqa: E402

DRAWINGS = 2000


@dataclass(frozen=True)
class Errors:
    """Of each sentence, how many phonemes were wrong, and how many there were."""

    wrong: NDArray[np.float64]
    n: NDArray[np.float64]

    @classmethod
    def of(cls, meant: Sequence[NDArray[np.int64]], said: Sequence[tuple[int, ...]]) -> Errors:
        """Count them."""
        wrong = [distance(names, heard) for names, heard in zip(meant, said, strict=True)]
        return cls(np.array(wrong, float), np.array([len(names) for names in meant], float))

    def rates(self, drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the error rate of each drawing (n, n_sentences) of sentences."""
        rates: NDArray[np.float64] = self.wrong[drawn].sum(axis=1) / self.n[drawn].sum(axis=1)
        return rates

    def drawn(self, seed: int) -> NDArray[np.int64]:
        """Return drawings of sentences; of as many sentences and one seed, always the same."""
        count = len(self.wrong)
        return np.random.default_rng(seed).integers(count, size=(DRAWINGS, count))

    def ranged(self) -> tuple[float, float, float]:
        """Return the error rate and its range."""
        return ranged(self.wrong.sum() / self.n.sum(), self.rates(self.drawn(0)))


def recovered(before: Errors, after: Errors, first: Errors) -> tuple[float, float, float]:
    """Return what part of the loss since the first day is back, and its range.

    Before and after are of the same sentences, and drawn together.
    """
    lost, left, least = (
        np.append(errors.rates(errors.drawn(seed)), errors.wrong.sum() / errors.n.sum())
        for errors, seed in ((before, 0), (after, 0), (first, 1))
    )
    parts = (lost - left) / (lost - least)
    return ranged(parts[-1], parts[:-1])


def ranged(value: float, drawn: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return a value, and the range of 95 % of drawings of it."""
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(value), float(low), float(high)


class Days:
    """The model, and what is known of its first day."""

    def __init__(self, session: Session, artifact: Artifact, first: Path, n_sentences: int) -> None:
        self._session, self._weights = session, artifact.weights
        self._n = n_sentences
        assert isinstance(session.decoder, Tunable), "a decoder of speech can be tuned"
        self._decoder = session.decoder
        self._first = self.rate(self._weights, self.training(self.gathered(first)), "first day")

    def gathered(self, file: Path) -> Gathered:
        """Return a recording, through the steps."""
        return gather(Recording(str(file), speed=float("inf"), chunk_s=1.0), self._session.pipeline)

    def training(self, gathered: Gathered) -> Training:
        """Return its cued sentences."""
        return spoken_training([gathered], self._session.pipeline.sentences)

    def rate(
        self, weights: Weights, test: Training, what: str, before: Errors | None = None
    ) -> Errors:
        """Print the phoneme error rate; return what was wrong."""
        errors = Errors.of([u.phonemes for u in spoken_sentences(test)], self._said(weights, test))
        rate, low, high = errors.ranged()
        said = f"{what:44} {rate:6.1%} ({low:.1%} to {high:.1%}), n = {len(errors.wrong)}"
        if before is not None:
            part, low, high = recovered(before, errors, self._first)
            said += f"; recovered {part:.0%} ({low:.0%} to {high:.0%})"
        print(said, flush=True)
        return errors

    def _said(self, weights: Weights, test: Training) -> list[tuple[int, ...]]:
        return best_paths(self._decoder, weights, test)

    def day(self, calibration: Path, test: Path) -> None:
        """Print all that is known of one later day."""
        heard, asked = self.gathered(calibration), self.training(self.gathered(test))
        print(f"\n{test.stem}")
        before = self.rate(self._weights, asked, "as calibrated on the first day")
        if isinstance(self._decoder, Settling):
            settled = self._decoder.settle(heard.rows, self._weights)
            self.rate(settled, asked, "settled on rows alone", before)
        cued = self.training(heard)
        few = cued.part(np.isin(cued.groups, np.unique(cued.groups)[: self._n]))
        began = time.monotonic()
        tuned = self._decoder.tune(few, self._weights)
        took = time.monotonic() - began
        self.rate(tuned, asked, f"tuned on {self._n} sentences ({took:.0f} s)", before)
        language = self._session.pipeline.language
        if not isinstance(language, Language):
            print("no [language]: nothing without labels")
            return
        loaded = language.load()
        self._alone(loaded, heard, asked, before, "without labels", Gate())
        self._alone(_Storm(loaded), heard, asked, before, "a storm of wrong labels", Gate())
        anything = Gate(most_unlike=float("inf"))
        self._alone(_Storm(loaded), heard, asked, before, "the same, without the gate", anything)

    def _alone(
        self, loaded: Any, heard: Gathered, asked: Training, before: Errors, what: str, gate: Gate
    ) -> None:
        try:
            found = recalibrate(self._decoder, self._weights, loaded, heard, gate)
        except Mismatch as refused:
            print(f"{what:44} refused: {refused}", flush=True)
            return
        print(
            f"{what}: {found.n_learned} of {found.n_heard} utterances; the network's paths differ "
            f"by {found.unlike_before:.3f}, then {found.unlike_after:.3f}"
        )
        self.rate(found.weights, asked, what, before)


class _Storm:
    """A language that takes each utterance for one of some time before."""

    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded

    def start(self, rate_hz: float, hop: int) -> Any:
        """Start a run that hears what was said, and says what was said before."""
        speaking = self._loaded.start(rate_hz, hop)
        texts: list[str] = ["this is not what anybody said"] * 3
        wrong = SimpleNamespace(utterances=[])

        def follow(outputs: Any, moment: Any) -> Any:
            newest = speaking.utterances[-1] if speaking.utterances else None
            said = speaking(outputs, moment)
            now = speaking.utterances[-1] if speaking.utterances else None
            if now is not None and now is not newest:
                texts.append(now.text)
                wrong.utterances.append(replace(now, text=texts[-4]))
            return said

        return _Called(follow, wrong)


class _Called:
    def __init__(self, follow: Any, wrong: SimpleNamespace) -> None:
        self._follow, self._wrong = follow, wrong

    def __call__(self, outputs: Any, moment: Any) -> Any:
        return self._follow(outputs, moment)

    @property
    def utterances(self) -> list[Any]:
        found: list[Any] = self._wrong.utterances
        return found


def pairs(named: list[str]) -> Iterator[tuple[Path, Path]]:
    """Yield the two recordings of each day."""
    for name in named:
        calibration, _, test = name.partition(":")
        yield Path(calibration), Path(test)


def main() -> None:
    """Print what each day costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("first", type=Path)
    parser.add_argument("days", nargs="+", metavar="CALIBRATION:TEST")
    parser.add_argument("--sentences", type=int, default=20)
    parser.add_argument("--language", default="", help="a folder that bci language made")
    args = parser.parse_args()
    session = load_session(args.session)
    language = session.pipeline.language
    if args.language and isinstance(language, Language):
        language = replace(language, folder=args.language)
        session = replace(session, pipeline=replace(session.pipeline, language=language))
    with one_thread():
        days = Days(session, Artifact.load(args.model), args.first, args.sentences)
        for calibration, test in pairs(args.days):
            days.day(calibration, test)


if __name__ == "__main__":
    main()
