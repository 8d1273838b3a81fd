"""A recorded session decoded again, and held against what was said then, line by line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import msgspec

from bci_server.config import Session, parse_session, with_recipes
from decoders.adapting.aligner import ALIGNMENT
from decoders.adapting.version_folder import VersionFolder
from decoders.artifact import Artifact
from decoders.gathering import Progress
from decoders.pipeline import Decoded, Run
from decoders.stage import Mismatch
from decoders.transcript import Transcript
from devices.adapters.replay import Replay, ReplayStream
from devices.clock import MONOTONIC, Clock
from devices.device import DeviceRefused, EndOfStream
from devices.recording.recorded import Recorded
from devices.signal import Chunk

__all__ = ["Difference", "Replayed", "feed", "passes", "recorded_session", "replay", "taught"]

_TURN_S = 0.04


class Difference(msgspec.Struct, frozen=True):
    """The first block of which not the same was said; None where nothing was said of it.

    Parameters
    ----------
    number
        Which line of the transcripts, counted from 0.
    recorded, replayed
        The lines, see `decoders.transcript`.
    """

    number: int
    recorded: str | None
    replayed: str | None


class Replayed(msgspec.Struct, frozen=True):
    """What came of a replay.

    Parameters
    ----------
    recording
        Name of the file.
    model, recorded_model
        Hashes of the model that decoded now, and then.
    outputs_sha256, recorded_sha256
        Of the transcripts.
    is_equal
        The same was said, to the bit, of every block of the recording.
    difference
        Where it begins to differ.
    n_outputs
        Blocks of which something was said.
    signal_s
        Seconds of signal that were decoded.
    real_time_factor
        Seconds of signal for each second that it took.
    schedule_error_ms
        How late the latest chunk came, at a finite speed.
    notes
        Why it cannot be equal, or was compared in part only.
    """

    recording: str
    model: str
    recorded_model: str
    outputs_sha256: str
    recorded_sha256: str
    is_equal: bool
    difference: Difference | None
    n_outputs: int
    signal_s: float
    real_time_factor: float
    schedule_error_ms: float | None
    notes: tuple[str, ...]


def recorded_session(path: Path, model: Path | None = None) -> tuple[Session, Artifact]:
    """Return the session that was recorded, as it was, and its model.

    Parameters
    ----------
    path
        The recording. Paths in its session file are relative to the current folder.
    model
        A model instead of the one that the session names.

    Raises
    ------
    BadSession, ArtifactError
        The session file within it, or the model, cannot be used.
    DeviceError
        It is no recording of this server's, or holds no session file.
    """
    with Recorded.open(path) as recorded:
        text = recorded.session_text
    if not text:
        raise DeviceRefused(f"{path} holds no session file, so nobody knows how to decode it")
    session = parse_session(text, Path(), f"the session file in {path}")
    artifact = Artifact.load(model or session.model)
    return with_recipes(session, artifact), artifact


def replay(
    device: Replay,
    session: Session,
    artifact: Artifact,
    *,
    progress: Progress | None = None,
    clock: Clock = MONOTONIC,
    then: Callable[[Run], None] | None = None,
    made: VersionFolder | None = None,
) -> Replayed:
    """Replay a recording, and compare; `then` is given the run when it is over.

    `made` holds what was made beside the session while it ran.

    Raises
    ------
    DeviceError
        It cannot be read.
    Mismatch
        The model does not fit it.
    ArtifactError
        A file of `made` is harmed.
    """
    from threadpoolctl import threadpool_limits

    transcript = Transcript()
    begun_s = clock.now()
    # As live: threads of the linear algebra library sum in another order.
    with (
        threadpool_limits(limits=1),
        device.open(clock) as stream,
        Recorded.open(device.path) as recorded,
    ):
        run = artifact.run(stream.signal, session.pipeline, session.decoder, made)
        lines = _Lines(stream, run, transcript, clock, progress)
        was = _Then(recorded)
        difference = None
        for number, (old, new) in enumerate(zip_longest(was.lines(), lines)):
            if difference is None and old != new and not (old is None and was.is_cut):
                difference = Difference(number, old, new)
        if then is not None:
            then(run)
        notes = (*recorded.notes, *was.notes, *_why_not(stream, recorded, artifact, run))
        notes += _missing(made)
        wall_s = clock.now() - begun_s
        signal_s = lines.n_samples / stream.signal.rate_hz
        return Replayed(
            recording=recorded.path.name,
            model=artifact.hash,
            recorded_model=recorded.about.get("model", ""),
            outputs_sha256=transcript.sha256,
            recorded_sha256=was.sha256,
            is_equal=difference is None and (was.is_cut or was.sha256 == transcript.sha256),
            difference=difference,
            n_outputs=lines.n_lines,
            signal_s=signal_s,
            real_time_factor=signal_s / wall_s if wall_s > 0 else 0.0,
            schedule_error_ms=None if device.speed == float("inf") else 1e3 * lines.latest_s,
            notes=notes,
        )


def taught(artifact: Artifact, run: Run, version: int | None = None) -> Artifact:
    """Return what a model had become by the end of a run, or was as one of its versions.

    An alignment is of that session alone and is left out; so are scores that were another's.

    Raises
    ------
    Mismatch
        The session did not adapt, or there is no such version.
    """
    if run.adaptive is None:
        raise Mismatch("this session did not adapt: there is nothing that was learned to keep")
    versions = run.adaptive.versions
    found = {v.number: v for v in versions.kept}
    kept = versions.current if version is None else found.get(version)
    if kept is None:
        there = ", ".join(str(number) for number in found)
        raise Mismatch(f"there is no version {version}; there is {there}")
    weights = {name: array for name, array in kept.weights.items() if name != ALIGNMENT}
    return dataclasses.replace(artifact, weights=weights, metrics={})


def passes(stream: ReplayStream) -> Iterator[Chunk]:
    """Yield the chunks of a replay as they are due, to its end."""
    while True:
        try:
            chunk = stream.read(_TURN_S)
        except EndOfStream:
            return
        if chunk is not None:
            yield chunk


@dataclass
class _Lines:
    """What is said now, line by line."""

    stream: ReplayStream
    run: Run
    transcript: Transcript
    clock: Clock
    progress: Progress | None
    n_samples: int = 0
    n_lines: int = 0
    latest_s: float = 0.0

    def __iter__(self) -> Iterator[str]:
        rate_hz = self.stream.signal.rate_hz
        for chunk in passes(self.stream):
            self.latest_s = max(self.latest_s, self.stream.lateness_s)
            self.n_samples += len(chunk)
            if self.progress is not None:
                self.progress("replaying", self.n_samples / rate_hz)
            for decoded in feed(self.run, self.stream, chunk):
                line = self.transcript.add(decoded.moment.sample, decoded.outputs)
                if line:
                    self.n_lines += 1
                    yield line


def feed(run: Run, stream: ReplayStream, chunk: Chunk) -> Iterator[Decoded]:
    """Feed what was read to a run, with all that came with it."""
    return run.feed(chunk, stream.take_markers(), stream.take_events())


class _Then:
    """What was said when it was recorded.

    Attributes
    ----------
    sha256
        Its hash, complete when all lines were taken.
    is_cut
        The recording was not ended in good order: more may have been said than was written.
    """

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        log = recorded.log()
        ends = [entry for entry in log if entry.get("log") == "end"]
        lost = [entry for entry in log if entry.get("log") == "lost"]
        self.is_cut = not ends
        self.sha256 = str(ends[-1].get("outputs_sha256", "")) if ends else ""
        self.notes = tuple(
            f"{entry.get('n')} samples from {entry.get('first')} on were not recorded: "
            f"{entry.get('why')}"
            for entry in lost
        )
        if self.is_cut:
            self.notes += ("it was not ended in good order: compared as far as it goes",)

    def lines(self) -> Iterator[str]:
        hashed = Transcript()
        for line in self._recorded.lines():
            hashed.add_line(line)
            yield line
        if self.is_cut:
            self.sha256 = hashed.sha256


def _missing(made: VersionFolder | None) -> tuple[str, ...]:
    if made is None or not made.missing:
        return ()
    lost = ", ".join(dict.fromkeys(made.missing))
    return (f"weights that decoded then are not in {made.folder}: {lost}",)


def _why_not(
    stream: ReplayStream, recorded: Recorded, artifact: Artifact, run: Run
) -> Iterator[str]:
    then = recorded.about.get("model", "")
    if then and then != artifact.hash:
        yield f"another model decoded then: {then}; now it is {artifact.hash}"
    language = recorded.about.get("language", "")
    if language and language != run.language:
        yield f"another language then: {language}; now it is {run.language or 'none'}"
    if stream.first_sample:
        yield (
            f"it begins {stream.first_sample} samples after the session did: what the decoder "
            "remembered then is not in it"
        )
