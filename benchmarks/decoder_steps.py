"""How long each decoder takes: to fit, and live for one step, at the cadence of a real stream.

Every kind that is installed is fitted on made-up data of its kind, and then given one block each
hop, idle in between, as live and with the priority that a live run has: in a hot loop the caches
stay warm and the figures flatter. It is fitted twice, unless that is long, and the second time
counts: the first one loads libraries; in seconds of one core, which other work on the machine does
not change.

    python benchmarks/decoder_steps.py                       # all kinds, 64 channels, each 50 ms
    python benchmarks/decoder_steps.py svm forest            # some
    python benchmarks/decoder_steps.py kalman --channels 3072 --hop-ms 20
    python benchmarks/decoder_steps.py --json steps.json     # the table as data, too

A new kind appears by itself: with its default settings, and with the first of the made-up inputs
that its ``fit`` does not refuse. One that needs others has a line in SETTINGS or INPUTS.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - found by the line above, like the rest

from bci_server import catalog  # noqa: E402
from bci_server.evaluation.step_time import step_ms  # noqa: E402
from decoders.decoder import Decoder, Training, Weights  # noqa: E402
from decoders.models.logistic import Logistic  # noqa: E402
from decoders.models.ridge import Ridge  # noqa: E402
from decoders.rows.sample_names import sample_names  # noqa: E402
from decoders.stage import Mismatch  # noqa: E402
from devices.signal import Signal  # noqa: E402

HOP_HZ = 20.0
TRIALS, ROWS_A_TRIAL = 40, 10
CONTINUOUS_ROWS = 6000
WINDOW_HZ = 125
LONG_S = 10.0

_FEW_EPOCHS: Mapping[str, Any] = {"epochs": 3}  # what a step costs is not learned

_METRICS: Sequence[Mapping[str, Any]] = ({"metric": "riemann"}, {"metric": "logeuclid"})

CODES = {"left": "0110101100100", "right": "0100110111010"}

SETTINGS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "eeg_tcnet": [_FEW_EPOCHS],
    "eegnet": [_FEW_EPOCHS],
    "shallow_convnet": [_FEW_EPOCHS],
    "onnx": [],  # is not fitted here
    "rnn": [_FEW_EPOCHS],
    "transformer": [_FEW_EPOCHS],
    "aligned": [
        {"decoder": Logistic(), "by": "zscore"},
        {"decoder": Ridge(10), "by": "procrustes"},
    ],
    "falcon": [],  # what it takes is another package's
    "mdm": [{}, *_METRICS],
    "tangent_space": [{}, _METRICS[0]],
    "rcca": [{"codes": CODES, "code_rate_hz": 60.0, "filter_s": 0.034}],
    "fgmdm": [{}, *_METRICS],
    "mlp_regression": [{"history": 10}],
    "ridge": [{}, {"history": 10}],
    "svm": [{}, {"kernel": "rbf"}],
    "wiener_cascade": [{"history": 10}],
}


def rows(n_channels: int) -> Training:
    """Return features of trials, one a channel: powers, say."""
    rng = np.random.default_rng(0)
    targets = np.arange(TRIALS).repeat(ROWS_A_TRIAL) % 2
    middles = rng.standard_normal((2, n_channels)) * 0.5
    features = middles[targets] + rng.standard_normal((len(targets), n_channels))
    return _trials(_names(n_channels), features, targets)


def counts(n_channels: int) -> Training:
    """Return counts of spikes of trials."""
    rng = np.random.default_rng(1)
    targets = np.arange(TRIALS).repeat(ROWS_A_TRIAL) % 2
    rates = rng.uniform(0.2, 3.0, (2, n_channels))
    return _trials(_names(n_channels), rng.poisson(rates[targets]).astype(np.float64), targets)


def covariances(n_channels: int) -> Training:
    """Return triangles of covariances of trials."""
    rng = np.random.default_rng(2)
    targets = np.arange(TRIALS).repeat(ROWS_A_TRIAL) % 2
    upper = np.triu_indices(n_channels)
    mixing = np.eye(n_channels) + 0.1 * rng.standard_normal((2, n_channels, n_channels))
    features = np.empty((len(targets), len(upper[0])))
    for row, target in zip(features, targets, strict=True):
        x = mixing[target] @ rng.standard_normal((n_channels, 4 * n_channels))
        row[:] = (x @ x.T / x.shape[1])[upper]
    names = tuple(f"{i}*{j}" for i, j in zip(*upper, strict=True))
    return _trials(names, features, targets)


def band_covariances(n_channels: int) -> Training:
    """Return triangles of covariances of trials in nine bands."""
    one = covariances(n_channels)
    bands = [f"{4 * b}-{4 * b + 4} Hz" for b in range(1, 10)]
    names = tuple(f"{c} {band}" for band in bands for c in one.signal.channels)
    return _trials(names, np.tile(one.features, len(bands)), one.targets)


def epochs(n_channels: int) -> Training:
    """Return responses of trials: 20 steps of each channel."""
    one = rows(20 * n_channels)
    names = tuple(f"{c} {50 * i - 950} ms" for c in _names(n_channels) for i in range(20))
    return _trials(names, one.features, one.targets)


def locked(n_channels: int) -> Training:
    """Return whole blocks of trials, 12 samples each, locked to a cue."""
    block = 12
    noise = np.random.default_rng(7).standard_normal((TRIALS * ROWS_A_TRIAL, block * n_channels))
    trials = _trials(_names(block * n_channels), noise, rows(1).targets)
    ages = np.tile(np.arange(1, ROWS_A_TRIAL + 1) * block - 1, TRIALS)
    groups = np.arange(TRIALS).repeat(ROWS_A_TRIAL)
    targets = groups % 2
    return replace(trials, targets=targets, groups=groups, ages=ages)


def windows(n_channels: int) -> Training:
    """Return windows of noise, 1 s of each channel."""
    rng = np.random.default_rng(6)
    targets = np.arange(TRIALS).repeat(ROWS_A_TRIAL) % 2
    before_ms = [(WINDOW_HZ - 1 - i) / WINDOW_HZ * 1e3 for i in range(WINDOW_HZ)]
    names = sample_names(_names(n_channels), before_ms)
    return _trials(names, rng.standard_normal((len(targets), len(names))), targets)


def followed(n_channels: int) -> Training:
    """Return features that follow a velocity, rough to the eye as smoothed counts are."""
    features, velocity = _tuned(n_channels)
    noise = np.random.default_rng(4).standard_normal(features.shape)
    return _continuous(features + noise, velocity)


def followed_counts(n_channels: int) -> Training:
    """Return counts of spikes that follow a velocity."""
    features, velocity = _tuned(n_channels)
    drawn = np.random.default_rng(5).poisson(np.exp(0.3 * features))
    return _continuous(drawn.astype(np.float64), velocity)


Make = Callable[[int], Training]
CLASSES: Sequence[Make] = (rows, counts, covariances)
CONTINUOUS: Sequence[Make] = (followed, followed_counts)
INPUTS: Mapping[str, Sequence[Make]] = {
    "fbcsp": [band_covariances],
    "rcca": [locked],
    "trca": [locked],
    "xdawn": [epochs],
    "xdawn_covariance": [epochs],
    "eeg_tcnet": [windows],
    "eegnet": [windows],
    "shallow_convnet": [windows],
}


def _names(n_channels: int) -> tuple[str, ...]:
    return tuple(f"c{i}" for i in range(n_channels))


def _trials(names: tuple[str, ...], features: Any, targets: Any) -> Training:
    groups = np.arange(TRIALS).repeat(ROWS_A_TRIAL)
    return Training(Signal(HOP_HZ, names, "1"), features, targets, groups, ("left", "right"))


def _tuned(n_channels: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    n = max(CONTINUOUS_ROWS, 5 * n_channels // 2)
    window = np.hanning(21) / np.hanning(21).sum()
    velocity = np.stack([np.convolve(x, window, "same") for x in rng.standard_normal((2, n))], 1)
    velocity /= velocity.std(axis=0)
    return velocity @ rng.standard_normal((2, n_channels)), velocity


def _continuous(features: Any, velocity: Any) -> Training:
    signal = Signal(HOP_HZ, _names(features.shape[1]), "1")
    groups = np.zeros(len(features), np.int64)
    return Training(signal, features, velocity, groups, ("vx", "vy"), "m/s")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    kind: str
    settings: str
    given: str
    features: int
    rows: int
    fit_s: float
    model_kb: float
    p50_ms: float
    p99_ms: float


def fitted(recipe: Decoder, kind: str, n_channels: int) -> tuple[str, Training, Weights, float]:
    """Fit on the first input that the decoder does not refuse.

    Raises
    ------
    Mismatch
        It refuses all of them; says the reason of each.
    """
    makers = INPUTS.get(kind, CLASSES if recipe.task == "classes" else CONTINUOUS)
    reasons = []
    for make in makers:
        training = make(n_channels)
        begun = time.process_time()
        try:
            weights = recipe.fit(training)
        except Mismatch as refused:
            reasons.append(f"{make.__name__}: {refused}")
            continue
        took_s = time.process_time() - begun
        if took_s < LONG_S:
            begun = time.process_time()
            weights = recipe.fit(training)
            took_s = time.process_time() - begun
        return make.__name__, training, weights, took_s
    raise Mismatch(f"{kind} refuses every made-up input ({'; '.join(reasons)})")


def measure(kind: str, settings: Mapping[str, Any], asked: argparse.Namespace) -> Row:
    """Fit one decoder and time its steps."""
    recipe: Decoder = catalog.load("decoders", kind)(**settings)
    given, training, weights, fit_s = fitted(recipe, kind, asked.channels)
    gc.collect()
    gc.freeze()
    with ThreadPoolExecutor(1) as thread:
        took = thread.submit(
            step_ms, recipe, training, weights, asked.hop_ms / 1e3, asked.steps
        ).result()
    gc.unfreeze()
    p50, p99 = np.percentile(took, [50, 99])
    return Row(
        kind=kind,
        settings=", ".join(f"{k} = {v}" for k, v in settings.items()),
        given=given,
        features=training.features.shape[1],
        rows=len(training.features),
        fit_s=round(fit_s, 2),
        model_kb=round(sum(np.asarray(a).nbytes for a in weights.values()) / 1e3, 1),
        p50_ms=round(float(p50), 3),
        p99_ms=round(float(p99), 3),
    )


def main() -> None:
    """Measure, and print the table as it comes."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("kinds", nargs="*", metavar="KIND", help="default: all")
    ask.add_argument("--channels", type=int, default=64)
    ask.add_argument("--hop-ms", type=float, default=50.0)
    ask.add_argument("--steps", type=int, default=200)
    ask.add_argument("--json", type=Path, metavar="OUT.json")
    asked = ask.parse_args()

    import scipy.linalg  # noqa: F401 - brings a library of its own, which must be there to be limited
    from threadpoolctl import threadpool_limits

    found: list[Row] = []
    print("| kind | settings | input | features | rows | fit s | model kB | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    with threadpool_limits(limits=1):
        for kind in asked.kinds or catalog.kinds("decoders"):
            for settings in SETTINGS.get(kind, [{}]):
                found.append(measure(kind, settings, asked))
                print("| " + " | ".join(map(str, asdict(found[-1]).values())) + " |", flush=True)
    if asked.json is not None:
        asked.json.write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
