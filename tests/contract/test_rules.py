"""What every rule of adaptation promises, held against each kind that is there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import decoders.adapting.rules
from decoders.adapting.adaptation import Adaptation
from decoders.adapting.rules.recentre import Recentre
from decoders.adapting.rules.recursive_lda import RecursiveLda
from decoders.adapting.rules.recursive_ridge import RecursiveRidge
from decoders.adapting.rules.reward import Reward
from decoders.adapting.rules.smooth_batch import SmoothBatch
from decoders.adapting.rules.speech_recalibration import SpeechRecalibration
from decoders.adapting.versions import weights_hash
from decoders.artifact import Artifact
from decoders.decoder import Decoder, Training, Weights
from decoders.describe import describe
from decoders.models.kalman import Kalman
from decoders.models.lda import Lda
from decoders.models.mdm import Mdm
from decoders.output import Adapted
from decoders.pipeline import Pipeline, Run
from devices.signal import Chunk, Event, Marker
from tests.decoders.adapting.rules.test_recentre import PIPELINE as COVARIANCES
from tests.decoders.adapting.rules.test_recentre import fitted, samples
from tests.decoders.drifting import (
    PIPELINE,
    VELOCITY,
    artifact,
    label,
    lda,
    reaching,
    ridge,
    told,
    trials,
)
from tests.decoders.speech.following import follows_speech


@dataclass(frozen=True)
class Session:
    """A model, and what comes in: everything that a rule learns from."""

    decoder: Decoder
    model: Artifact
    pipeline: Pipeline
    rows: NDArray[np.float32]
    markers: Sequence[Marker] = ()
    events: Sequence[Event] = ()
    made: Mapping[str, Weights] = field(default_factory=dict)


def classes() -> Session:
    rows, cues, truth = trials(12, 1, (1.0, 0.3, 0.0, 0.0))
    return Session(Lda(), lda(), PIPELINE, rows, cues, [label(k, truth) for k in range(12)])


def rewards() -> Session:
    rows, cues, _ = trials(12, 1, (1.0, 0.3, 0.0, 0.0))
    events = [Event(20 * k + 10, "", "client", "reward", (1.0,), 20 * k + 13) for k in range(12)]
    return Session(Lda(), lda(), PIPELINE, rows, cues, events)


def values() -> Session:
    decoder, model = ridge()
    rows, velocity = reaching(250, 2, 0.5)
    return Session(decoder, model, Pipeline(0.1), rows, (), told(velocity))


def targets() -> Session:
    rows, velocity = reaching(600, 0)
    training = Training(
        VELOCITY, rows.astype(np.float64), velocity, np.zeros(600, int), ("vx", "vy"), "m/s"
    )
    model = artifact(Kalman(), Pipeline(0.1), training)
    rows, _ = reaching(250, 2, 0.5)
    rng = np.random.default_rng(0)
    events = [
        Event(i, "", "client", "target", tuple(rng.uniform(-3, 3, 2).tolist()))
        for i in range(0, 250, 10)
    ]
    return Session(Kalman(), model, Pipeline(0.1), rows, (), events)


def covariances() -> Session:
    x, _ = samples(60, 1, np.diag([2.0, 0.5, 1.0]))
    return Session(Mdm(), fitted(Mdm()), COVARIANCES, x)


def utterances() -> Session:
    heard = follows_speech()
    return Session(
        heard.decoder, heard.model, heard.pipeline, heard.rows, (), heard.events, heard.made
    )


CASES: dict[str, tuple[Any, Callable[[], Session]]] = {
    "recursive_lda": (RecursiveLda("feedback", 0.2), classes),
    "recursive_ridge": (RecursiveRidge(every_s=4.0), values),
    "smooth_batch": (SmoothBatch(5.0, 20.0, intent="goal", reaction_s=0.0), targets),
    "reward": (Reward(1.0), rewards),
    "recentre": (Recentre(every_s=1.0), covariances),
    "speech_recalibration": (SpeechRecalibration(every=4, proving=2, fewest=2), utterances),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    rule, make = CASES[request.param]
    return request.param, rule, make()


def start(session: Session, *rules: Any, **more: Any) -> Run:
    adaptation = Adaptation(rules=rules, **more) if rules else None
    pipeline = replace(session.pipeline, adaptation=adaptation)
    return session.model.run(session.model.signal, pipeline, session.decoder, session.made)


def feed(run: Run, session: Session, cut: int, events: Sequence[Event] = ()) -> list[Any]:
    """What each block gave, and at which sample, with the samples cut into pieces."""
    rate_hz, found = session.model.signal.rate_hz, []
    waiting = sorted([*session.events, *events], key=lambda e: e.known)
    for begin in range(0, len(session.rows), cut):
        end = min(begin + cut, len(session.rows))
        due = [m for m in session.markers if begin / rate_hz <= m.time_s < end / rate_hz]
        heard = [e for e in waiting if e.known < end - 1]
        waiting = [e for e in waiting if e.known >= end - 1]
        chunk = Chunk(np.arange(begin, end) / rate_hz, session.rows[begin:end])
        found += [(d.moment.sample, list(d.outputs)) for d in run.feed(chunk, due, heard)]
    return found


def versions(found: list[Any]) -> list[Adapted]:
    return [o for _, outputs in found for o in outputs if isinstance(o, Adapted)]


def spoken(found: list[Any]) -> list[Any]:
    return [(s, [o for o in outputs if not isinstance(o, Adapted)]) for s, outputs in found]


def test_every_kind_is_listed() -> None:
    folder = Path(decoders.adapting.rules.__file__).parent
    assert set(CASES) == {p.stem for p in folder.glob("*.py")} - {"__init__"}


def test_a_kind_exports_one_recipe_that_is_documented(case) -> None:
    kind, rule, _ = case
    module = import_module(f"decoders.adapting.rules.{kind}")
    (name,) = module.__all__
    recipe = getattr(module, name)
    assert recipe.__dataclass_params__.frozen
    assert all(field.name in recipe.__doc__ for field in fields(recipe))
    assert isinstance(rule, recipe)
    assert describe(rule)["kind"] == kind


def test_it_learns_and_every_version_is_named(case) -> None:
    _, rule, session = case
    run = start(session, rule)
    found = versions(feed(run, session, 7))
    assert len(found) >= 3
    assert [v.version for v in found] == list(range(1, len(found) + 1))
    assert all(v.first <= v.last and v.n_rows > 0 and v.reason for v in found)
    kept = run.adaptive.versions.kept
    assert [v.hash for v in kept] == [weights_hash(v.weights) for v in kept]
    assert kept[0].hash == weights_hash(session.model.weights)


@pytest.mark.parametrize("cut", [1, 13, 10_000])
def test_however_samples_are_cut_versions_and_outputs_are_the_same(case, cut) -> None:
    _, rule, session = case
    assert feed(start(session, rule), session, cut) == feed(start(session, rule), session, 7)


def test_a_rollback_says_to_the_bit_what_the_version_said(case) -> None:
    _, rule, session = case
    changes = [s for s, outs in feed(start(session, rule), session, 7) if versions([(s, outs)])]
    after_first, late = changes[0] + 1, changes[-2] + 1
    off = Event(after_first, "off", "client", "adapt")
    back = Event(late, "rollback", "client", "adapt", (1.0,))
    stopped = feed(start(session, rule), session, 7, [off])
    returned = feed(start(session, rule), session, 7, [back])
    hop = start(session).hop
    tail = [f for f in spoken(returned) if f[0] > late + hop]
    expected = [f for f in spoken(stopped) if f[0] > late + hop]
    assert versions(returned)[-1].hash == versions(stopped)[0].hash
    # A filter's state comes out of the newest rows; what came before them has faded to the bit.
    assert tail == expected
    assert tail


def test_what_it_knows_can_be_put_back(case) -> None:
    _, rule, session = case
    run = start(session, rule)
    feed(run, session, 7)
    (learner,) = run.adaptive._learners
    known = {name: array.copy() for name, array in learner.state().items()}
    feed(start(session, rule), session, 7)
    learner.restore(run.adaptive.versions.kept[1].states[0])
    learner.restore(known)
    after = learner.state()
    assert {n: a.tobytes() for n, a in after.items()} == {n: a.tobytes() for n, a in known.items()}


def test_a_gap_and_a_switch_are_survived(case) -> None:
    _, rule, session = case
    run = start(session, rule)
    half = len(session.rows) // 2
    rate_hz = session.model.signal.rate_hz
    first = Chunk(np.arange(half) / rate_hz, session.rows[:half])
    rest = Chunk(np.arange(half, len(session.rows)) / rate_hz, session.rows[half:], gap=True)
    before = list(run.feed(first, session.markers, session.events))
    number = run.adaptive.versions.current.number
    after = list(run.feed(rest))
    assert before
    assert after
    assert run.adaptive.versions.current.number >= number > 0


def test_learning_imports_nothing_that_fits(case, tmp_path, forks) -> None:
    kind, rule, session = case
    session.model.save(tmp_path / "m")
    name, of = type(rule).__name__, type(session.decoder)
    arguments = "2, 0.01" if kind == "recursive_ridge" else ""
    script = f"""
from pathlib import Path
from decoders.artifact import Artifact
from decoders.adapting.rules.{kind} import {name}
from decoders.adapting.adaptation import Adaptation
from {of.__module__} import {of.__name__}
from decoders.adapting.adaptive import AdaptiveStart
from devices.signal import Signal
model = Artifact.load(Path({str(tmp_path / "m")!r}))
from decoders.features.covariance import Covariance
from decoders.pipeline import Pipeline
from decoders.stage import Chain
from decoders.deciding.trials import Trials
from tests.decoders.speech.spelling import Language
stages = Chain((Covariance(0.1, 0.0),)) if {kind!r} == "recentre" else Chain(())
cued = {kind!r} in ("recursive_lda", "reward")
trials = Trials({{"L": "left", "R": "right"}}, 0.0, 1.0) if cued else None
rule = {name}()
language = Language() if {kind!r} == "speech_recalibration" else None
learning = Adaptation(rules=(rule,))
hop_s = {session.pipeline.hop_s}
pipeline = Pipeline(hop_s, (), stages, trials, None, learning, language=language)
run = model.run(model.signal, pipeline, {of.__name__}({arguments}))
"""
    heavy = {"sklearn", "torch", "pyriemann", "mne", "scipy"}
    assert not heavy & forks.modules_after(script)
