"""What every device promises, held against each kind that is there."""

from __future__ import annotations

import dataclasses
import gc
import importlib
import math
import pkgutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import devices.adapters
from bci_server.recording.file import RecordingFile
from bci_server.recording.items import Content
from devices.adapters.brainflow import Brainflow
from devices.adapters.lsl import Lsl
from devices.adapters.recording import Recording
from devices.adapters.replay import Replay
from devices.adapters.simulator_eeg import SimulatorEeg
from devices.adapters.simulator_reach import SimulatorReach
from devices.adapters.simulator_speech import SimulatorSpeech
from devices.clock import MONOTONIC, ManualClock
from devices.device import EndOfStream, Health, Stream
from devices.discovery import StreamMatch
from devices.outlet import Publisher, forward
from devices.recording.checked_file import CheckedFile
from devices.recording.recorded import Turn
from devices.signal import Chunk, Marker, Signal
from devices.simulation.voice import VOICE

DEADLINE_S = 30.0


@dataclass
class Bench:
    """What a device needs in its surroundings before it can be opened."""

    folder: Path
    publish: Callable[[Any], Lsl]
    played: dict[Case, Read]

    def recorded(self) -> str:
        """Write ten seconds of three channels with two markers."""
        import mne

        info = mne.create_info(["C3", "Cz", "C4"], 100.0, "eeg")
        values = np.random.default_rng(0).normal(0, 1e-5, (3, 1000))
        raw = mne.io.RawArray(values, info, verbose="error")
        raw.set_annotations(mne.Annotations([2.0, 5.0], [0.0, 0.0], ["left", "right"]))
        path = self.folder / "contract_raw.fif"
        if not path.exists():
            raw.save(path, verbose="error")
        return str(path)

    def session(self) -> str:
        """Record three seconds of a session of three channels, with two markers."""
        path = self.folder / "contract.xdf"
        if not path.exists():
            signal = Signal(100.0, ("C3", "Cz", "C4"), "uV")
            content = Content("contract", "amp", signal, about={"model": "abc"})
            recording = RecordingFile(CheckedFile(path), content, 0.0)
            rng = np.random.default_rng(0)
            for first in range(0, 300, 5):
                times = 50.0 + np.arange(first, first + 5) / 100.0
                values = rng.normal(0, 1, (5, 3)).astype(np.float32)
                labels = {50: "left", 100: "right"}
                cues = tuple(Marker(float(times[0]), labels[first]) for _ in range(first in labels))
                received_s = float(times[-1]) + 0.01
                recording.write(Turn(first, values, times, None, False, received_s, cues))
            recording.end(60.0, "ended", "")
        return str(path)


@dataclass(frozen=True)
class Case:
    """One device to hold to the contract.

    Parameters
    ----------
    make
        Makes the recipe on a bench, with fields that the suite asks for where `own_pace`.
    own_pace
        It makes its own samples: has `speed` and `chunk_s`, and ends.
    seeded
        It has a `seed`.
    labels
        Labels of markers that must come, each at least once.
    truth
        Channels of the truth; none: there is no truth.
    needs
        Fields without a default.
    """

    make: Callable[..., Any]
    own_pace: bool = True
    seeded: bool = False
    labels: frozenset[str] = frozenset()
    truth: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()


def eeg(paradigm: str, labels: set[str], truth: tuple[str, ...]) -> Case:
    def make(bench: Bench, **fields: Any) -> SimulatorEeg:
        return SimulatorEeg(
            n_channels=8, paradigm=paradigm, trial_s=1.0, pause_s=0.5, duration_s=8.03, **fields
        )

    return Case(make, seeded=True, labels=frozenset(labels | {"rest"}), truth=truth)


def reach(output: str, duration_s: float, labels: set[str]) -> Case:
    def make(bench: Bench, **fields: Any) -> SimulatorReach:
        return SimulatorReach(n_units=3, output=output, duration_s=duration_s, **fields)

    return Case(make, seeded=True, labels=frozenset(labels), truth=("vx", "vy"))


def speech(output: str, duration_s: float, labels: set[str]) -> Case:
    def make(bench: Bench, **fields: Any) -> SimulatorSpeech:
        text = bench.folder / "said.txt"
        text.write_text("Yes\nI am here\n")
        fields |= {"output": output, "duration_s": duration_s, "text": str(text)}
        return SimulatorSpeech(n_electrodes=3, order="listed", silence_s=0.2, **fields)

    return Case(make, seeded=True, labels=frozenset(labels), truth=VOICE)


def recording() -> Case:
    def make(bench: Bench, **fields: Any) -> Recording:
        return Recording(bench.recorded(), **fields)

    return Case(make, labels=frozenset({"left", "right"}), needs=frozenset({"path"}))


def published(bench: Bench) -> Lsl:
    return bench.publish(SimulatorEeg(n_channels=8, trial_s=0.2, pause_s=0.2, pause_jitter_s=0.0))


FLICKERS = ("8.57Hz", "12Hz", "15Hz")
CASES = {
    "brainflow": [Case(lambda bench: Brainflow(), own_pace=False)],
    "lsl": [
        Case(
            published,
            own_pace=False,
            labels=frozenset({"left", "right", "rest"}),
            truth=("left", "right"),
        )
    ],
    "recording": [recording()],
    "replay": [
        Case(
            lambda bench: Replay(bench.session()),
            own_pace=False,
            labels=frozenset({"left", "right"}),
            needs=frozenset({"path"}),
        )
    ],
    "simulator_eeg": [
        eeg("imagery", {"left", "right"}, ("left", "right")),
        eeg("ssvep", set(FLICKERS), FLICKERS),
        eeg("p300", {"target", "nontarget"}, tuple("ABCDEF")),
        eeg("rest", {"eyes_closed"}, ("eyes_closed",)),
    ],
    "simulator_reach": [
        reach("counts", 10.0, {"reach", "target-centre"}),
        reach("broadband", 1.01, {"reach"}),
    ],
    "simulator_speech": [
        speech("counts", 10.0, {"say:Yes", "say:I am here", "said"}),
        speech("features", 10.0, {"say:Yes", "say:I am here", "said"}),
        speech("broadband", 1.01, {"say:Yes"}),
    ],
}
ALL = {f"{kind}-{k}": case for kind, cases in CASES.items() for k, case in enumerate(cases)}
PACED = [pytest.param(case, id=name) for name, case in ALL.items() if case.own_pace]
SEEDED = [pytest.param(case, id=name) for name, case in ALL.items() if case.seeded]
EVERY = [pytest.param(case, id=name) for name, case in ALL.items()]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, lsl: Any) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("contract")
    stop = threading.Event()
    senders: list[threading.Thread] = []

    def publish(device: Any) -> Lsl:
        name = f"contract-{len(senders)}"
        publisher = Publisher(device.open(), name)

        def send() -> None:
            forward(device.open(), publisher, stop)
            publisher.close()

        senders.append(threading.Thread(target=send, name="contract-sender"))
        senders[-1].start()
        markers, truth = StreamMatch(name=f"{name}-markers"), StreamMatch(name=f"{name}-truth")
        return Lsl(name=name, markers=markers, truth=truth)

    yield Bench(folder, publish, {})
    stop.set()
    for sender in senders:
        sender.join(DEADLINE_S)
        assert not sender.is_alive()


@dataclass
class Read:
    """All that came of a stream until its end, or until enough of it had come."""

    signal: Signal
    truth_signal: Signal | None
    chunks: list[Chunk]
    markers: list[Marker]
    truth: list[Chunk]
    health: Health

    @property
    def times(self) -> np.ndarray[Any, Any]:
        return np.concatenate([c.times for c in self.chunks])

    @property
    def values(self) -> np.ndarray[Any, Any]:
        return np.concatenate([c.values for c in self.chunks])


def copied(chunk: Chunk) -> Chunk:
    return Chunk(chunk.times.copy(), chunk.values.copy(), chunk.gap)


def read_on(stream: Stream, enough_s: float = math.inf) -> Read:
    chunks: list[Chunk] = []
    markers: list[Marker] = []
    truth: list[Chunk] = []
    end_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < end_s:
        try:
            chunk = stream.read(0.5)
        except EndOfStream:
            break
        if chunk is not None:
            chunks.append(copied(chunk))
            markers += stream.take_markers()
            if (rows := stream.take_truth()) is not None:
                truth.append(copied(rows))
            if chunk.times[-1] - chunks[0].times[0] >= enough_s:
                break
    assert chunks, "no sample came"
    return Read(stream.signal, stream.truth_signal, chunks, markers, truth, stream.health())


def opened(case: Case, bench: Bench, **fields: Any) -> Stream:
    if case.own_pace:
        fields = {"speed": math.inf} | fields
        return case.make(bench, **fields).open(ManualClock())
    return case.make(bench).open(MONOTONIC)


def run(case: Case, bench: Bench, **fields: Any) -> Read:
    with opened(case, bench, **fields) as stream:
        return read_on(stream, math.inf if case.own_pace else 1.5)


def played(case: Case, bench: Bench) -> Read:
    """Return one run of the case, the same for every test that only looks at it."""
    if case not in bench.played:
        bench.played[case] = run(case, bench)
    return bench.played[case]


def test_every_kind_is_held_to_the_contract() -> None:
    kinds = {m.name for m in pkgutil.iter_modules(devices.adapters.__path__)}
    assert kinds == set(CASES), "add the new device to CASES"


@pytest.mark.parametrize("kind", CASES)
def test_the_module_exports_one_recipe_a_frozen_dataclass_with_defaults(kind: str) -> None:
    module = importlib.import_module(f"devices.adapters.{kind}")
    recipes = [getattr(module, name) for name in module.__all__]
    (recipe,) = [r for r in recipes if dataclasses.is_dataclass(r)]
    assert recipe.__dataclass_params__.frozen
    needs = {
        field.name
        for field in dataclasses.fields(recipe)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    assert needs == set().union(*(case.needs for case in CASES[kind]))
    for case in CASES[kind]:
        if case.own_pace:
            assert {"speed", "chunk_s"} <= {field.name for field in dataclasses.fields(recipe)}


@pytest.mark.parametrize("case", EVERY)
def test_samples_are_what_the_signal_says(case: Case, bench: Bench) -> None:
    came = played(case, bench)
    assert isinstance(came.signal, Signal)
    for chunk in came.chunks:
        assert len(chunk) > 0
        assert chunk.times.shape == (len(chunk),)
        assert chunk.values.shape == (len(chunk), came.signal.n_channels)
        assert chunk.times.dtype == np.float64
        assert chunk.values.dtype == np.float32
        assert chunk.values.flags.c_contiguous
        assert chunk.times.flags.c_contiguous
        assert not chunk.gap
    assert np.isfinite(came.values).all()
    assert came.values.std() > 0
    steps = np.diff(came.times)
    assert (steps >= 0).all()
    assert len(came.times) / came.signal.rate_hz == pytest.approx(
        came.times[-1] - came.times[0], rel=0.2, abs=0.05
    )


@pytest.mark.parametrize("case", EVERY)
def test_health_counts_what_was_read(case: Case, bench: Bench) -> None:
    came = played(case, bench)
    assert came.health.n_samples == len(came.times)
    assert came.health.n_lost == came.health.n_gaps == came.health.n_bad == 0


@pytest.mark.parametrize("case", EVERY)
def test_the_identity_is_there_and_the_same_again(case: Case, bench: Bench) -> None:
    device = case.make(bench)
    with device.open() as stream:
        identity = stream.identity
    assert identity
    with device.open() as stream:
        assert stream.identity == identity


@pytest.mark.parametrize("case", EVERY)
def test_markers_come_once_and_lie_on_samples(case: Case, bench: Bench) -> None:
    came = played(case, bench)
    labels = {marker.label for marker in came.markers}
    assert case.labels <= labels
    assert "" not in labels
    assert len(set(came.markers)) == len(came.markers)
    # One may lie before the first sample: live, the world does not wait for the reader.
    for marker in (m for m in came.markers if m.time_s >= came.times[0]):
        assert np.abs(came.times - marker.time_s).min() <= 0.51 / came.signal.rate_hz


@pytest.mark.parametrize("case", EVERY)
def test_truth_belongs_to_the_samples(case: Case, bench: Bench) -> None:
    came = played(case, bench)
    truth_signal = came.truth_signal
    if not case.truth:
        assert truth_signal is None
        assert came.truth == []
        return
    assert truth_signal is not None
    assert truth_signal.channels == case.truth
    for rows in came.truth:
        assert rows.values.shape == (len(rows.times), len(case.truth))
        assert len(rows.times) > 0
    times = np.concatenate([rows.times for rows in came.truth])
    assert (np.diff(times) > 0).all()
    period_s = 1 / truth_signal.rate_hz
    assert times[0] <= came.times[0] + 1.5 * period_s
    assert times[-1] >= came.times[-1] - 1.5 * period_s - (0.0 if case.own_pace else 0.5)
    if case.own_pace:
        assert len(times) == int(len(came.times) * truth_signal.rate_hz / came.signal.rate_hz)


@pytest.mark.parametrize("case", EVERY)
def test_reading_waits_no_longer_than_it_was_told_to(case: Case, bench: Bench) -> None:
    if case.own_pace:
        clock = ManualClock(50.0)
        with case.make(bench, speed=1.0, chunk_s=0.5).open(clock) as stream:
            assert stream.read(0.0) is None
            assert clock.now() == 50.0
            assert stream.read(0.2) is None
            assert clock.now() == pytest.approx(50.2)
            chunk = stream.read(10.0)
            assert chunk is not None
            assert clock.now() == pytest.approx(50.5)
        return
    with case.make(bench).open(MONOTONIC) as stream:
        start_s = time.monotonic()
        for _ in range(20):
            stream.read(0.0)
        # Twenty waits of a default of a second would take longer.
        assert time.monotonic() - start_s < 10.0


@pytest.mark.parametrize("case", PACED)
@pytest.mark.parametrize("chunk_s", [0.001, 0.13, 3.0])
def test_how_it_is_cut_changes_nothing(case: Case, bench: Bench, chunk_s: float) -> None:
    expected, came = played(case, bench), run(case, bench, chunk_s=chunk_s)
    np.testing.assert_array_equal(came.values, expected.values)
    np.testing.assert_allclose(came.times, expected.times, rtol=0, atol=1e-9)
    assert [m.label for m in came.markers] == [m.label for m in expected.markers]
    got, wanted = ([m.time_s for m in c.markers] for c in (came, expected))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-9)
    if case.truth:
        got, wanted = (np.concatenate([t.values for t in c.truth]) for c in (came, expected))
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("case", PACED)
def test_how_fast_it_plays_changes_no_sample(case: Case, bench: Bench) -> None:
    expected, came = played(case, bench), run(case, bench, speed=3.0)
    np.testing.assert_array_equal(came.values, expected.values)
    assert [m.label for m in came.markers] == [m.label for m in expected.markers]


@pytest.mark.parametrize("case", SEEDED)
def test_the_seed_alone_decides(case: Case, bench: Bench) -> None:
    one, same, other = (run(case, bench, seed=seed).values for seed in (7, 7, 8))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("case", PACED)
def test_the_end_is_said_again_and_again(case: Case, bench: Bench) -> None:
    with opened(case, bench) as stream:
        read_on(stream)
        for _ in range(3):
            with pytest.raises(EndOfStream):
                stream.read(0.1)


@pytest.mark.parametrize("case", EVERY)
def test_closing_twice_is_harmless(case: Case, bench: Bench) -> None:
    stream = opened(case, bench)
    stream.read(0.1)
    stream.close()
    stream.close()


@pytest.mark.parametrize("case", EVERY)
def test_a_stream_that_is_forgotten_leaves_no_thread(case: Case, bench: Bench) -> None:
    device = case.make(bench)
    before = set(threading.enumerate())
    stream = device.open()
    stream.read(0.1)
    del stream
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE_S / 3)
        assert not thread.is_alive(), thread.name
    gc.freeze()  # what is left, libraries for the most part, need not be looked through again
