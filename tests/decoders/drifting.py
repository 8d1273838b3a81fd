"""Sessions that drift, made in memory, and decoders that were fitted before they did."""

from dataclasses import replace

import numpy as np

from decoders.adapting.adaptation import Adaptation
from decoders.artifact import Artifact
from decoders.deciding.trials import Trials
from decoders.decoder import Training
from decoders.describe import describe, describe_pipeline
from decoders.models.lda import Lda
from decoders.models.ridge import Ridge
from decoders.output import Adapted, Command, Prediction
from decoders.pipeline import Pipeline
from devices.signal import Chunk, Event, Marker, Signal

RATE_HZ = 10.0
CLASSES = ("left", "right")
TRIALS = Trials({"L": "left", "R": "right"}, start_s=0.0, end_s=1.0)
SIGNAL = Signal(RATE_HZ, ("a", "b", "c", "d"), "1")
PIPELINE = Pipeline(0.1, trials=TRIALS)
MEANS = np.array([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
TRIAL = 20
"""Samples from one cue to the next."""


def trials(n, seed, shift=(0.0, 0.0, 0.0, 0.0)):
    """`n` cued trials of 1 s, 2 s apart: rows, cues, and the class of each."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n) % 2)
    rows = rng.normal(0, 1, (n * TRIAL, 4))
    for k, label in enumerate(truth):
        rows[k * TRIAL : k * TRIAL + 11] += MEANS[label]
    cues = [Marker((k * TRIAL) / RATE_HZ, "LR"[label]) for k, label in enumerate(truth)]
    return (rows + shift).astype(np.float32), cues, truth


def lda():
    rows, _, truth = trials(100, 0)
    inside = np.arange(len(rows)) % TRIAL < 11
    training = Training(
        SIGNAL,
        rows[inside].astype(np.float64),
        np.repeat(truth, 11),
        np.repeat(np.arange(100), 11),
        CLASSES,
    )
    return artifact(Lda(), PIPELINE, training)


def artifact(decoder, pipeline, training):
    return Artifact(
        describe(decoder),
        describe_pipeline(pipeline),
        training.signal,
        training.labels,
        training.unit,
        decoder.fit(training),
        "0" * 64,
    )


def run(model, decoder, rules=(), events=(), pipeline=PIPELINE, **more):
    adaptation = Adaptation(rules=tuple(rules), **more) if rules else None
    return model.run(model.signal, replace(pipeline, adaptation=adaptation), decoder)


def said(running, rows, cues=(), events=(), lengths=(), gaps=()):
    """What each block gave, the samples cut as `lengths` say; (sample, outputs)."""
    found = []
    begin = 0
    waiting = list(events)
    for n in [*lengths, len(rows)]:
        end = min(begin + n, len(rows))
        if end == begin:
            break
        times = np.arange(begin, end) / RATE_HZ
        due = [c for c in cues if begin / RATE_HZ <= c.time_s < end / RATE_HZ]
        heard = [e for e in waiting if e.known < end - 1]
        waiting = [e for e in waiting if e not in heard]
        chunk = Chunk(times, rows[begin:end], begin in gaps)
        found += [(d.moment.sample, list(d.outputs)) for d in running.feed(chunk, due, heard)]
        begin = end
    return found


def decisions(found):
    """The class decided on for each trial, by number."""
    return {
        o.cue_sample // TRIAL: CLASSES.index(o.decision)
        for _, outputs in found
        for o in outputs
        if isinstance(o, Prediction) and o.decision is not None and o.cue_sample is not None
    }


def right(found, truth, first=0):
    decided = decisions(found)
    return float(
        np.mean([decided[k] == truth[k] for k in range(first, len(truth)) if k in decided])
    )


def versions(found):
    return [(s, o) for s, outputs in found for o in outputs if isinstance(o, Adapted)]


def without_versions(found):
    return [(s, [o for o in outputs if not isinstance(o, Adapted)]) for s, outputs in found]


def label(k, truth, late=0):
    """What a client says of trial `k`: of its last sample, `late` samples later."""
    at = k * TRIAL + 10
    return Event(at, CLASSES[truth[k]], "client", "label", (), at + late)


VELOCITY = Signal(RATE_HZ, tuple(f"u{i}" for i in range(12)), "count")


def reaching(n, seed, turn=0.0):
    """Rows of 12 units for velocities that wander, their directions turned by `turn` radians."""
    tuning_rng, rng = np.random.default_rng(1), np.random.default_rng(seed)
    angles = tuning_rng.uniform(-np.pi, np.pi, 12) + turn
    tuning = 3.0 * np.stack([np.cos(angles), np.sin(angles)])
    velocity = np.zeros((n, 2))
    for i in range(1, n):
        velocity[i] = 0.9 * velocity[i - 1] + 0.2 * rng.standard_normal(2)
    rows = velocity @ tuning + 5.0 + rng.normal(0, 1, (n, 12))
    return rows.astype(np.float32), velocity


def ridge(history=2):
    rows, velocity = reaching(600, 0)
    decoder = Ridge(history, 0.01)
    training = Training(
        VELOCITY, rows.astype(np.float64), velocity, np.zeros(600, int), ("vx", "vy"), "m/s"
    )
    return decoder, artifact(decoder, Pipeline(0.1), training)


def told(velocity, every=1):
    """Feedback that says what was meant with each row."""
    return [
        Event(i, "", "client", "label", tuple(velocity[i].tolist()), max(0, i - 1))
        for i in range(1, len(velocity), every)
    ]


def error(found, velocity, first=0):
    values = {s: o.values for s, outputs in found for o in outputs if isinstance(o, Command)}
    at = [s for s in values if s >= first]
    return float(np.mean((np.array([values[s] for s in at]) - velocity[at]) ** 2))
