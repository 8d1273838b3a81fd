"""What a step of a decoder of speech costs live, 12.5 times a second, and what it gets wrong.

Rows come every 20 ms, idle in between, as live. The *critical path* is what the last row of a step
waits for: from that row to the scores. What is done when other rows come is beside it, *ahead*:
the longest of a step's other rows. A step in one piece has all of it on the critical path.

The shape of the public Brain-to-Text '25 baseline (512 features, 5 layers of 768 units, 32.8
million parameters) has random weights: what it says does not change what it costs. So has the
Conformer, whose step is in one piece. With `--model` and `--recording` the error rates of a trained
model are told for each way to compute it.

    python benchmarks/speech_step.py
    python benchmarks/speech_step.py --steps 500 --model MODEL --session SESSION --recording FILE
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - found by the line above, like the rest
import torch  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from bci_server.scheduling import raise_priority  # noqa: E402
from decoders.decoder import Weights  # noqa: E402
from decoders.networks.speech_conformer import ConformerShape, SpeechConformer  # noqa: E402
from decoders.networks.speech_gru import GruShape, SpeechGru, Utterances  # noqa: E402
from decoders.networks.standard import Standardized  # noqa: E402
from decoders.onnx.graph import GRAPH, open_graph  # noqa: E402
from decoders.speech.conformer_arrays import BLOCKS  # noqa: E402
from decoders.speech.conformer_step import ConformerSteps  # noqa: E402
from decoders.speech.gru_arrays import floats  # noqa: E402
from decoders.speech.gru_graph_step import GraphGru  # noqa: E402
from decoders.speech.gru_step import DayLayer, SplitGru  # noqa: E402
from decoders.training import conformer_arrays  # noqa: E402
from decoders.training.export import quantized  # noqa: E402
from decoders.training.front_arrays import standard_of  # noqa: E402
from decoders.training.gru_arrays import arrays_of, network_of, shape_of  # noqa: E402
from decoders.training.gru_graphs import halves, whole  # noqa: E402

WARM_UP = 8
ROW_S = 0.02

Floats = NDArray[np.float32]
Steps = Callable[[Floats], Floats | None]
"""Takes a row that has passed the day layer; gives scores where a step ends."""

SHAPES = {
    "small": GruShape(256, 64, units=256, layers=3),
    "conformer": ConformerShape(256, 48),
    "32.8 M": GruShape(512),
}


@dataclass(frozen=True)
class Took:
    """One line of the table; times in ms."""

    network: str
    computed: str
    p50: float
    p99: float
    worst: float
    ahead_p50: float
    ahead_p99: float
    differs: float


class _Patched:
    """Collects rows to patches, and computes each in one piece."""

    def __init__(self, shape: GruShape, step: Callable[[Floats], Floats]) -> None:
        self._shape, self._step = shape, step
        self._rows = np.zeros((shape.patch, shape.width), np.float32)
        self._seen = 0

    def __call__(self, row: Floats) -> Floats | None:
        self._rows[:-1] = self._rows[1:]
        self._rows[-1] = row
        self._seen += 1
        past = self._seen - self._shape.patch
        if past < 0 or past % self._shape.stride:
            return None
        return self._step(self._rows.reshape(1, -1))


def in_torch(weights: Weights) -> Steps:
    """Return the step in torch, eager, on one thread."""
    network = network_of(weights, 1).eval()
    state = network.first(1)

    def step(patch: Floats) -> Floats:
        nonlocal state
        with torch.no_grad():
            hidden, state = network.cells(torch.from_numpy(patch)[None], state)
            said: Floats = network.scores(hidden)[0, 0].numpy()
        return said

    return _Patched(network.shape, step)


def in_one_graph(weights: Weights, *, bits: int = 32) -> Steps:
    """Return the step in ONNX Runtime, in one piece."""
    graph = whole(weights)
    run = open_graph({GRAPH: graph if bits == 32 else quantized(graph)})
    run.inputs["state"][...] = floats(weights, "initial")

    def step(patch: Floats) -> Floats:
        run.inputs["rows"][...] = patch
        run()
        return run.outputs["scores"][0].copy()

    return _Patched(shape_of(weights), step)


def in_two_graphs(weights: Weights, *, bits: int = 32) -> Steps:
    """Return the step in ONNX Runtime, most of it one row ahead."""
    both = halves(weights)
    if bits == 8:
        both = {name: quantized(graph) for name, graph in both.items()}
    return GraphGru({**weights, **both})


WAYS: dict[str, Callable[[Weights], Steps]] = {
    "torch eager": in_torch,
    "ONNX Runtime, one piece": in_one_graph,
    "ONNX Runtime, split": in_two_graphs,
    "numpy, split (live)": SplitGru,
    "ONNX Runtime int8, one piece": lambda weights: in_one_graph(weights, bits=8),
    "ONNX Runtime int8, split (live)": lambda weights: in_two_graphs(weights, bits=8),
}
CONFORMER_WAYS: dict[str, Callable[[Weights], Steps]] = {"numpy, one piece (live)": ConformerSteps}


def is_conformer(weights: Weights) -> bool:
    """Return whether the arrays are of a Conformer."""
    return f"{BLOCKS}norm.weight" in weights


def ways_of(weights: Weights) -> dict[str, Callable[[Weights], Steps]]:
    """Return all that a step of such a network can be computed by."""
    return CONFORMER_WAYS if is_conformer(weights) else WAYS


def random_weights(shape: GruShape | ConformerShape) -> Weights:
    """Return the arrays of a network that has learned nothing."""
    torch.manual_seed(0)
    standard = Standardized(np.zeros(shape.features, "f4"), np.ones(shape.features, "f4"))
    if isinstance(shape, ConformerShape):
        return conformer_arrays.arrays_of(SpeechConformer(shape), standard, (0,))
    return arrays_of(SpeechGru(shape), standard, (0,))


def in_one_pass(weights: Weights, rows: Floats) -> Floats:
    """Return (n_steps, K) scores of torch, of all rows at once."""
    network_of_arrays = conformer_arrays.network_of if is_conformer(weights) else network_of
    network, standard = network_of_arrays(weights, 1).eval(), standard_of(weights)
    with torch.no_grad():
        read = Utterances(standard(torch.from_numpy(rows))[None], torch.zeros(1).long())
        said: Floats = network(read)[0].numpy()
    return said


def follow(steps: Steps, day: DayLayer, rows: Floats) -> Floats:
    """Return (n_steps, K) scores, computed at once."""
    return np.array([said for row in rows if (said := steps(day(row))) is not None])


def timed(steps: Steps, day: DayLayer, rows: Floats) -> tuple[Floats, Floats]:
    """Return what each step's last row took, and the longest of its other rows, in ms."""
    critical, ahead, longest = [], [], 0.0
    due = time.perf_counter()
    for row in rows:
        due += ROW_S
        time.sleep(max(0.0, due - time.perf_counter()))
        begun = time.perf_counter()
        said = steps(day(row))
        took = (time.perf_counter() - begun) * 1e3
        if said is None:
            longest = max(longest, took)
            continue
        critical.append(took)
        ahead.append(longest)
        longest = 0.0
    return np.array(critical[WARM_UP:]), np.array(ahead[WARM_UP:])


def measure(name: str, weights: Weights, n_steps: int) -> list[Took]:
    """Return a line for each way."""
    patch, stride = (int(n) for n in weights["steps"])
    rng = np.random.default_rng(1)
    n_rows = patch + stride * (n_steps + WARM_UP)
    rows = rng.standard_normal((n_rows, len(weights["mean"]))).astype(np.float32)
    day = DayLayer(weights)
    meant = in_one_pass(weights, rows[:400])
    lines = []
    for way, start in ways_of(weights).items():
        differs = float(np.abs(follow(start(weights), day, rows[:400]) - meant).max())
        critical, ahead = timed(start(weights), day, rows)
        p50, p99 = np.percentile(critical, [50, 99])
        before = np.percentile(ahead, [50, 99])
        lines.append(Took(name, way, p50, p99, critical.max(), before[0], before[1], differs))
        print_line(lines[-1])
    return lines


def print_head() -> None:
    """Print the table's first line."""
    print(f"{'network':9} {'computed':32} {'p50':>7} {'p99':>7} {'worst':>7}", end=" ")
    print(f"{'ahead50':>8} {'ahead99':>8} {'differs':>9}")


def print_line(took: Took) -> None:
    """Print one line of the table."""
    print(f"{took.network:9} {took.computed:32} {took.p50:7.2f} {took.p99:7.2f}", end=" ")
    print(f"{took.worst:7.2f} {took.ahead_p50:8.2f} {took.ahead_p99:8.2f} {took.differs:9.1e}")


def error_rates(args: argparse.Namespace) -> dict[str, float]:
    """Return the phoneme error rate of a trained model on a recording, for each way."""
    from bci_server.config import load_session
    from decoders.artifact import Artifact
    from decoders.gathering import gather
    from decoders.speech.ctc import greedy
    from decoders.speech.learning import spoken_training
    from decoders.speech.phoneme_errors import phoneme_scores
    from decoders.speech.spoken_sentences import spoken_sentences
    from devices.adapters.recording import Recording

    artifact, session = Artifact.load(args.model), load_session(args.session)
    gathered = gather(Recording(str(args.recording), speed=float("inf")), session.pipeline)
    training = spoken_training([gathered], session.pipeline.sentences)
    day, found = DayLayer(artifact.weights), spoken_sentences(training)
    rows = training.features.astype(np.float32)
    rates = {}
    for way, start in ways_of(artifact.weights).items():
        steps = start(artifact.weights)
        said = [greedy(follow(steps, day, rows[u.first : u.end])) for u in found]
        scores = phoneme_scores([u.phonemes for u in found], said)
        rates[way] = scores["phoneme_error_rate"]
        low, high = scores["ci95"]
        print(f"{way:32} phoneme error rate {rates[way]:.4f} ({low:.4f} to {high:.4f})")
    return rates


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--session", type=Path)
    parser.add_argument("--recording", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    lines: list[Took] = []
    rates: dict[str, float] = {}
    with threadpool_limits(1):
        if args.model is not None:
            rates = error_rates(args)
        print(f"priority: {raise_priority()}; {args.steps} steps")
        gc.freeze()
        print_head()
        for name in args.shapes:
            lines += measure(name, random_weights(SHAPES[name]), args.steps)
    if args.json is not None:
        args.json.write_text(json.dumps({"steps": [asdict(x) for x in lines], "per": rates}))


if __name__ == "__main__":
    main()
