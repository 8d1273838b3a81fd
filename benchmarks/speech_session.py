"""What a running session of speech gains on another day by learning from what it hears.

Recordings of one later day are streamed one after another, as fast as it goes, through a session
that adapts; weights are made at once, but come ``--late-s`` of signal after they were ordered. The
phoneme error rate is that of what was said live, of the cued sentences of the last recording: each
was decoded before anything was learned from it. Beside it, the same of the model that stays as it
is. With ``--wrong`` a client says after each utterance that it was what was said three before.

    python benchmarks/speech_session.py SESSION MODEL DAY30_A.xdf DAY30_B.xdf --language FOLDER

Recordings: examples/speech/simulated.py makes them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - found by the line above, like the rest

from bci_server.config import Session, load_session  # noqa: E402
from decoders.adapting.adaptation import Adaptation  # noqa: E402
from decoders.adapting.rules.speech_recalibration import SpeechRecalibration  # noqa: E402
from decoders.adapting.version_folder import VersionFolder  # noqa: E402
from decoders.artifact import Artifact  # noqa: E402
from decoders.calibrating.calibration import one_thread  # noqa: E402
from decoders.decoder import Event, Weights  # noqa: E402
from decoders.gathering import open_ending, read_all  # noqa: E402
from decoders.output import Adapted, Prediction, Token  # noqa: E402
from decoders.pipeline import Decoded, Run  # noqa: E402
from decoders.speech.ctc import greedy  # noqa: E402
from decoders.speech.language import Language  # noqa: E402
from decoders.speech.order import Order  # noqa: E402
from decoders.speech.phoneme_errors import phoneme_scores  # noqa: E402
from decoders.speech.running import Language as SpeechLanguage  # noqa: E402
from decoders.stage import Mismatch  # noqa: E402
from decoders.training.beside import make  # noqa: E402
from devices.adapters.recording import Recording  # noqa: E402
from devices.signal import Chunk, Marker  # noqa: E402
from devices.speech.phonemes import phoneme_ids  # noqa: E402
from devices.speech.pronunciation import phonemes_of  # noqa: E402

CHUNK_S = 0.5
APART_S = 5.0


@dataclass
class Worker:
    """Makes what is ordered, and gives it to the run later."""

    session: Session
    artifact: Artifact
    versions: VersionFolder
    made: dict[str, Weights]
    late: int
    attempts: int
    language: SpeechLanguage | None
    waiting: list[tuple[int, Event]] = field(default_factory=list)

    def take(self, order: Order, newest: int) -> None:
        """Work on an order that was given at the sample `newest`."""
        if not self.attempts:
            return  # nobody works on it, so it is not asked for again
        self.attempts -= 1
        began = time.process_time()
        try:
            made = make(self.session.decoder, self.artifact, self.versions, order, self.language)
        except Mismatch as refused:
            label, numbers = f"unmade {refused}", ()
        else:
            self.made[made.hash] = made.weights
            label, numbers = f"made {made.hash}", made.numbers
        took = time.process_time() - began
        print(f"  {newest}: {len(order.kept)} utterances, {took:.0f} s", flush=True)
        values = (float(order.number), *numbers)
        due = newest + self.late
        self.waiting.append((due, Event(due, label, "adaptation", "adapt", values)))

    def due(self, newest: int) -> list[Event]:
        """Return what has come by now."""
        ready = [replace(e, sample=newest) for at, e in self.waiting if at <= newest]
        self.waiting = [w for w in self.waiting if w[0] > newest]
        return ready


@dataclass
class Heard:
    """What was said, and what was meant."""

    steps: list[tuple[int, tuple[float, ...]]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def take(self, decoded: Decoded) -> bool:
        """Take a block in; say whether an utterance has ended with it."""
        self.events += [e for e in decoded.moment.events if e.kind == "marker"]
        sample, before = decoded.moment.sample, len(self.ended)
        for output in decoded.outputs:
            match output:
                case Prediction():
                    self.steps.append((sample, output.probabilities))
                case Token(is_final=True):
                    self.words.append(output.text)
                    if output.segment_final:
                        self.ended.append(" ".join(filter(None, self.words)))
                        self.words = []
                case Adapted():
                    print(f"  {sample}: version {output.version}: {output.reason}", flush=True)
        return len(self.ended) > before


def chunks(files: list[Path]) -> Iterator[tuple[int, Chunk, tuple[Marker, ...]]]:
    """Yield what the recordings give, one after another with a gap between, and which of them."""
    shift_s = last_s = 0.0
    for number, file in enumerate(files):
        with open_ending(Recording(str(file), speed=float("inf"), chunk_s=CHUNK_S)) as stream:
            is_first = True
            for chunk, markers, _ in read_all(stream):
                if is_first:
                    shift_s = last_s + APART_S - float(chunk.times[0])
                times = chunk.times + shift_s
                moved = tuple(Marker(m.time_s + shift_s, m.label) for m in markers)
                yield number, Chunk(times, chunk.values, gap=is_first and number > 0), moved
                last_s, is_first = float(times[-1]), False


def live(run: Run, files: list[Path], worker: Worker | None, is_wrong: bool) -> tuple[Heard, int]:
    """Return all that was said, and the first sample of the last recording."""
    heard, newest, begun = Heard(), -1, 0
    marks: list[Event] = []
    for number, chunk, markers in chunks(files):
        if chunk.gap and number == len(files) - 1:
            begun = newest + 1
        newest += len(chunk)
        told, marks = marks, []
        for decoded in run.feed(chunk, markers, told):
            if heard.take(decoded) and is_wrong and len(heard.ended) > 3:
                said = f"wrong {heard.ended[-4]}"
                marks.append(Event(newest, said, "client", "speech"))
        if worker is None or run.adaptive is None:
            continue
        order = run.adaptive.take_order()
        if order is not None:
            worker.take(order, newest)
        marks += worker.due(newest)
    return heard, begun


def rate(session: Session, heard: Heard, begun: int, rate_hz: float, what: str) -> None:
    """Print the phoneme error rate of the sentences from the sample `begun` on."""
    assert session.pipeline.sentences is not None, "cued sentences are what is scored"
    meant, said, before = [], [], begun - 1
    samples = np.array([sample for sample, _ in heard.steps])
    likely = np.array([probabilities for _, probabilities in heard.steps])
    for one in session.pipeline.sentences.of(heard.events, rate_hz):
        if one.first < begun:
            continue
        inside = (samples > before) & (samples <= one.last)
        before = one.last
        meant.append(phoneme_ids(phonemes_of(one.text)))
        said.append(greedy(likely[inside]))
    third = len(meant) // 3
    for name, part in (("all", slice(None)), ("the last two thirds", slice(third, None))):
        scores = phoneme_scores(meant[part], said[part])
        low, high = scores["ci95"]
        print(
            f"{what}, {name}: {scores['phoneme_error_rate']:.1%} ({low:.1%} to {high:.1%}), "
            f"n = {scores['n']}",
            flush=True,
        )


def main() -> None:
    """Print the error rate with and without adaptation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--language", required=True, help="a folder that bci language made")
    parser.add_argument("--method", default="recalibration", choices=["recalibration", "test_time"])
    parser.add_argument("--margin", type=float, default=SpeechRecalibration.margin)
    parser.add_argument("--step", type=float, default=SpeechRecalibration.step)
    parser.add_argument("--every", type=int, default=0, help="utterances; 0: the rule's own")
    parser.add_argument("--keep", type=int, default=SpeechRecalibration.keep)
    parser.add_argument("--attempts", type=int, default=1000, help="at most so many")
    parser.add_argument("--late-s", type=float, default=60.0)
    parser.add_argument("--wrong", action="store_true", help="a client is always wrong")
    parser.add_argument("--fixed", action="store_true", help="the model as it is, too")
    args = parser.parse_args()
    session = load_session(args.session)
    language = session.pipeline.language
    assert isinstance(language, Language), "the session must have a [language]"
    pipeline = replace(session.pipeline, language=replace(language, folder=args.language))
    pipeline = pipeline.in_memory()
    artifact = Artifact.load(args.model)
    rate_hz = artifact.signal.rate_hz
    rule = SpeechRecalibration(
        method=args.method, every=args.every, keep=args.keep, margin=args.margin, step=args.step
    )
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        if args.fixed:
            mute = replace(pipeline, language=None)  # its words are not scored
            run = artifact.run(artifact.signal, mute, session.decoder)
            heard, begun = live(run, args.recordings, None, is_wrong=False)
            rate(session, heard, begun, rate_hz, "as it was calibrated")
        made: dict[str, Weights] = {}
        versions = VersionFolder(Path(folder) / "model", artifact.weights)
        adapting = replace(pipeline, adaptation=Adaptation(rules=(rule,)))
        run = artifact.run(artifact.signal, adapting, session.decoder, made)
        late = round(args.late_s * rate_hz)
        hears = pipeline.language
        worker = Worker(session, artifact, versions, made, late, args.attempts, hears)
        heard, begun = live(run, args.recordings, worker, args.wrong)
        rate(session, heard, begun, rate_hz, f"{args.method}, {len(made)} made")


if __name__ == "__main__":
    main()
