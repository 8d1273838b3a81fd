"""The process that owns one session's loop: ``python -m bci_server.engine``.

Started by the supervisor with the session file and a listening socket for the web process. It
loads the model, opens the device, puts the loop together, runs it, and ends.

Exit codes: 0 ended, 1 failed (the reason was said), 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from bci_server import lifeline
from bci_server.about import About, Ending
from bci_server.config import BadSession, Session, device_of, load_session
from bci_server.control import Goodbye
from bci_server.link.engine_end import EngineEnd
from bci_server.link.frames import frame
from bci_server.loop import Loop, Sink
from bci_server.opening import open_device, without_samples
from bci_server.outlet import LslOutlets
from bci_server.outputs import said_by, shape_of
from bci_server.recording.items import Content
from bci_server.recording.names import Record
from bci_server.recording.recorder import Recorder
from bci_server.recording.state import RecordingRefused
from bci_server.safety.audit import AuditLog, Unaudited, open_audit
from bci_server.safety.guard import Guard
from bci_server.safety.limits import Safety
from bci_server.scheduling import Scheduling, favour, raise_priority
from bci_server.steering import from_start
from bci_server.stimulator import Stimulator
from bci_server.tuning import Tuning
from bci_server.wire import DecoderName
from decoders.adapting.version_folder import VersionFolder
from decoders.artifact import Artifact, ArtifactError
from decoders.decoder import Weights
from decoders.pipeline import Pipeline, Run
from decoders.speech.running import InMemory
from decoders.stage import Mismatch
from devices.adapters.replay import Replay
from devices.clock import MONOTONIC, Clock
from devices.device import DeviceError, Stream
from devices.signal import Chunk

__all__ = ["Options", "conduct", "main"]

_WARM_UP_S = 0.5
"""Long enough that a decoder which says something every few blocks has said it."""

_log = logging.getLogger(__name__)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine is started with; given as JSON on its command line.

    Parameters
    ----------
    file
        The session file.
    device
        Takes the place of its ``[device]`` section.
    model
        Takes the place of its model.
    record
        Takes the place of what its ``[record]`` section says; it is recorded from the start, also
        when there is no model yet.
    start_s
        Where its replay begins, instead of where the device's section says.
    listen_fd
        The inherited socket that the web process connects to.
    life_fd
        The inherited pipe whose end means that the supervisor is gone.
    report_fd
        The inherited pipe that the last word goes to.
    """

    file: str
    device: dict[str, object] | None = None
    model: str | None = None
    record: dict[str, object] | None = None
    start_s: float | None = None
    listen_fd: int
    life_fd: int | None = None
    report_fd: int | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an engine until its session ends; return the exit code."""
    parser = argparse.ArgumentParser(prog="bci_server.engine")
    parser.add_argument("options", help="as JSON")
    options = msgspec.json.decode(parser.parse_args(arguments).options, type=Options)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    favour()  # until it decodes: to start takes seconds of a processor
    # What is asked, a stop above all, comes in on a thread that waits for nobody's processor.
    end = EngineEnd(socket.socket(fileno=options.listen_fd), begin=raise_priority)
    signal.signal(signal.SIGTERM, lambda number, where: end.ask_shutdown())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor's to answer
    if options.life_fd is not None:
        lifeline.hold(options.life_fd, end.ask_shutdown)
    ending = _conduct(options, end)
    goodbye = Goodbye(state=ending.state, reason=ending.reason)
    if options.report_fd is not None:
        os.write(options.report_fd, frame(msgspec.msgpack.encode(goodbye)))
    end.close(goodbye)
    if ending.trace:
        _log.error("the session failed where it should not\n%s", ending.trace)
    return 0 if ending.state == "ended" else 1


def conduct(
    session: Session,
    end: EngineEnd,
    clock: Clock = MONOTONIC,
    needs_model: bool = True,
    prioritise: Callable[[], Scheduling] = lambda: "normal",
) -> Ending:
    """Wait for the session's device, and run the loop to its end.

    `prioritise` is called once what takes seconds of a processor is done: what starts must not
    hold up the sessions that run.

    Without a model, where that is allowed, nothing is decoded: recordings to calibrate on are made
    so.

    Raises
    ------
    ArtifactError, Mismatch, DeviceError, RecordingRefused
        It cannot begin; the message is for the user.
    """
    artifact = None
    if needs_model or session.model.exists():
        artifact = Artifact.load(session.model)
        session = session.in_memory()
        with threadpool_limits(1):
            _warm_up(session, artifact)
    scheduling = prioritise()
    stream = open_device(session, end, clock)
    if stream is None:
        return Ending("ended", "shut down before the device was there")
    with threadpool_limits(1), stream:
        return _loop(session, artifact, stream, end, clock, scheduling)


def _warm_up(session: Session, artifact: Artifact) -> None:
    """Decode some noise, so that the first real samples find every module loaded."""
    signal = artifact.signal
    run = artifact.run(signal, session.pipeline, session.decoder)
    n = max(3 * run.hop, round(_WARM_UP_S * signal.rate_hz))
    noise = np.random.default_rng(0).standard_normal((n, signal.n_channels), np.float32)
    for _ in run.feed(Chunk(np.arange(n) / signal.rate_hz, noise)):
        pass


def _conduct(options: Options, end: EngineEnd) -> Ending:
    try:
        session = load_session(Path(options.file))
        if options.device is not None:
            session = session.with_device(device_of(options.device))
        if options.start_s is not None:
            session = from_start(session, options.start_s)
        if options.model is not None:
            session = session.with_model(Path(options.model))
        if options.record is not None:
            session = session.with_record(options.record)
    except BadSession as e:
        return _failed(Path(options.file).stem, e, end)
    try:
        # A session that is recorded may run without: to be calibrated on what is recorded.
        needs_model = options.record is None and session.record is None
        return conduct(session, end, needs_model=needs_model, prioritise=raise_priority)
    except (ArtifactError, Mismatch, DeviceError, RecordingRefused) as e:
        return _failed(session.name, e, end)


def _failed(name: str, error: Exception, end: EngineEnd) -> Ending:
    end.put(without_samples(name, "failed", str(error), MONOTONIC))
    return Ending("failed", str(error))


def _loop(
    session: Session,
    artifact: Artifact | None,
    stream: Stream,
    end: EngineEnd,
    clock: Clock,
    scheduling: Scheduling,
) -> Ending:
    _check_rate(stream, session.safety)
    run, tuning = _started(session, artifact, stream)
    decoder = _name_of(artifact, run)
    shape = None if artifact is None else shape_of(session, artifact)
    sinks: list[Sink] = [end]
    if session.outlet.lsl and artifact is not None:
        said = said_by(session, artifact, shape, stream.signal.rate_hz)
        sinks.append(LslOutlets(session.name, said))
    recorder = _recorder(session, artifact, run.language, stream, clock)
    audit = None if shape is None else _audit(session, stream, decoder, clock)
    guard = Guard(shape, session.safety, decoder, clock, audit)
    stimulator = None
    if session.stimulation is not None:
        stimulator = Stimulator(session.name, session.stimulation, guard.lease, clock)
    adapts = artifact is not None and session.pipeline.adaptation is not None
    loop = Loop(
        About(session.name, stream.identity, decoder, scheduling, adapts),
        stream,
        run,
        guard,
        session.safety,
        None if artifact is None else session.commands,
        sinks,
        end,
        clock,
        recorder,
        stimulator,
        tuning,
    )
    return _run(loop, session.record, recorder, audit, tuning)


def _run(
    loop: Loop,
    record: Record | None,
    recorder: Recorder | None,
    audit: AuditLog | Unaudited | None,
    tuning: Tuning | None,
) -> Ending:
    """Run the loop to its end, and close what was made for it, however that comes."""
    gc.collect()
    gc.freeze()
    ending = Ending("failed", "the engine ended where it should not")
    try:
        if recorder is not None and record is not None and record.enabled:
            recorder.start_and_wait()
        ending = loop.run()
    finally:
        if tuning is not None:
            tuning.close()
        if isinstance(audit, AuditLog):
            audit.close(f"{ending.state}: {ending.reason}")
        if recorder is not None:
            recorder.close(ending.state, ending.reason)
    return ending


def _check_rate(stream: Stream, safety: Safety) -> None:
    period_ms, stall_ms = 1e3 / stream.signal.rate_hz, safety.stall_ms
    if period_ms >= stall_ms:
        raise Mismatch(
            f"a sample comes every {period_ms:g} ms and stall_ms = {stall_ms:g}: the session "
            f"would always be stalled. Set [safety] stall_ms to {3 * period_ms:g} or so"
        )


def _name_of(artifact: Artifact | None, run: Run) -> DecoderName:
    if artifact is None:
        return DecoderName("none", "", "")
    version = artifact.versions.get("bci-server", "")
    return DecoderName(artifact.kind, version, artifact.hash, run.language)


def _audit(
    session: Session, stream: Stream, decoder: DecoderName, clock: Clock
) -> AuditLog | Unaudited:
    """Begin the audit log; where it cannot be, the session runs, but nothing can be armed."""
    about = {
        "device": stream.identity,
        "decoder": decoder.name,
        "model": decoder.hash,
        "pid": os.getpid(),
    }
    try:
        return open_audit(Path(session.safety.audit), session.name, about, clock)
    except OSError as e:
        _log.warning("nothing can be armed: the audit log cannot be written: %s", e)
        return Unaudited(f"{session.safety.audit}: {e.strerror}")


def _started(
    session: Session, artifact: Artifact | None, stream: Stream
) -> tuple[Run, Tuning | None]:
    """Start to decode, and what makes weights beside the loop, where the session wants that."""
    if artifact is None:
        pipeline = Pipeline(session.pipeline.hop_s, session.pipeline.channels)
        return pipeline.start(stream.signal, lambda features: lambda chunk, moment: ()), None
    if isinstance(session.device, Replay):
        # What was made beside a session that is replayed is there, and is not made again.
        kept = VersionFolder(session.model, artifact.weights)
        return artifact.run(stream.signal, session.pipeline, session.decoder, kept), None
    made: dict[str, Weights] = {}
    run = artifact.run(stream.signal, session.pipeline, session.decoder, made)
    if run.adaptive is None or not run.adaptive.follows_speech:
        return run, None
    language = session.pipeline.language
    recipe = language.recipe if isinstance(language, InMemory) else language
    return run, Tuning.beside(session.decoder, artifact, session.model, made, recipe)


def _recorder(
    session: Session, artifact: Artifact | None, language: str, stream: Stream, clock: Clock
) -> Recorder | None:
    if session.record is None:
        return None
    content = Content(
        name=session.name,
        identity=stream.identity,
        signal=stream.signal,
        truth=stream.truth_signal,
        has_sender_times=stream.sender_times() is not None,
        modality=session.record.modality,
        about={
            "participant": session.record.participant,
            "session": session.record.session,
            "task": session.record.task or session.name,
            "consent": session.record.consent,
            "session_file": session.text,
            "decoder": "none" if artifact is None else artifact.kind,
            "model": "" if artifact is None else artifact.hash,
            **({"language": language} if language else {}),
        },
    )
    return Recorder(session.record, content, clock)


if __name__ == "__main__":
    sys.exit(main())
