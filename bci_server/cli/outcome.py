"""How a command ends: its exit code, and what a user reads when it went wrong.

Every mistake of a user's, wherever it is found, ends as one line on stderr: what is wrong, both
values, what to do. Only a defect of the program shows a trace.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CommandError", "Exit", "exit_of", "explain"]


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    NOT_FOUND = 3
    DEFECT = 70
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot do what it was asked for; the message is for the user."""

    def __init__(self, message: str, code: Exit = Exit.BAD_INPUT) -> None:
        super().__init__(message)
        self.code = code


def exit_of(error: BaseException) -> Exit | None:
    """Return the exit code of an error that is for the user; None for a defect."""
    from bci_server.catalog import BrokenPlugin, UnknownKind
    from bci_server.client import ClientError, UnknownSession, Unreachable
    from bci_server.config import BadSession
    from bci_server.export.report import ExportError
    from bci_server.library import LibraryError, UnknownRecording
    from bci_server.supervisor import PortTaken
    from bci_server.web.auth import BadTokenFile
    from bci_server.web.settings import UnsafeBind
    from decoders.artifact import ArtifactError
    from decoders.stage import Mismatch
    from decoders.training.job import TrainingFailed
    from devices.device import DeviceError, DeviceNotFound, DeviceRefused

    match error:
        case CommandError():
            return error.code
        case DeviceNotFound() | Unreachable() | UnknownSession() | UnknownRecording():
            return Exit.NOT_FOUND
        case BadSession() | UnknownKind() | BrokenPlugin() | BadTokenFile() | UnsafeBind():
            return Exit.BAD_INPUT
        case ArtifactError() | DeviceRefused() | Mismatch() | LibraryError() | ExportError():
            return Exit.BAD_INPUT
        case ClientError() | DeviceError() | PortTaken() | TrainingFailed():
            return Exit.FAILED
        case FileNotFoundError(filename=name) if name is not None:
            return Exit.NOT_FOUND
        case OSError(filename=name) if name is not None:
            return Exit.FAILED
    return None


def explain(error: BaseException) -> str:
    """Return an error that is for the user as one paragraph."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
