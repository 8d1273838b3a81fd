"""What a session gives, as its file and its model tell before it runs."""

from __future__ import annotations

from bci_server.config import Session
from bci_server.outlet import Said
from bci_server.safety.gate import Shape
from decoders.artifact import Artifact
from decoders.output import Meaning
from decoders.stage import Mismatch

__all__ = ["said_by", "shape_of"]


def shape_of(session: Session, artifact: Artifact) -> Shape | None:
    """Return what the session's commands look like; None if it gives none.

    Raises
    ------
    Mismatch
        The session gives values to classes that the model does not know.
    """
    if session.commands is not None:
        is_words = session.commands.on == "words"
        odd = [c for c in session.commands.values if c not in artifact.labels]
        if odd and not is_words:
            raise Mismatch(
                f"[commands] gives values to {', '.join(odd)}; the model knows the classes "
                f"{', '.join(artifact.labels)}"
            )
        return Shape(session.commands.mode, session.commands.names, session.commands.unit)
    if session.decoder.task == "continuous":
        mode: Meaning = getattr(session.decoder, "mode", "velocity")
        if mode == "voice":
            return None
        return Shape(mode, artifact.labels, artifact.unit)
    return None


def said_by(session: Session, artifact: Artifact, shape: Shape | None, rate_hz: float) -> Said:
    """Return what a session says whose commands are of `shape`, of a stream of `rate_hz`."""
    if session.decoder.task == "continuous":
        if shape is not None:
            return Said(shape)
        return Said(voice=artifact.labels, voice_unit=artifact.unit)
    pipeline = session.pipeline
    has_tokens = pipeline.language is not None or pipeline.speller is not None
    return Said(shape, artifact.labels, token_rate_hz=rate_hz if has_tokens else None)
