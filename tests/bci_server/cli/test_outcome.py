"""How a command ends: exit codes and what the user reads."""

import errno

import pytest

from bci_server.catalog import BrokenPlugin
from bci_server.cli.outcome import CommandError, Exit, exit_of, explain
from bci_server.config import BadSession
from decoders.artifact import ArtifactError
from decoders.stage import Mismatch
from devices.device import DeviceChanged, DeviceLost, DeviceNotFound, DeviceRefused


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError("two streams and no name"), Exit.BAD_INPUT),
        (CommandError("no server", Exit.NOT_FOUND), Exit.NOT_FOUND),
        (DeviceNotFound("no stream"), Exit.NOT_FOUND),
        (DeviceRefused("truncated"), Exit.BAD_INPUT),
        (DeviceLost("gone"), Exit.FAILED),
        (DeviceChanged("other rate"), Exit.FAILED),
        (BadSession("a.toml", ("no name",)), Exit.BAD_INPUT),
        (ArtifactError("harmed"), Exit.BAD_INPUT),
        (BrokenPlugin("no module"), Exit.BAD_INPUT),
        (Mismatch("250 Hz, not 500 Hz"), Exit.BAD_INPUT),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.edf"), Exit.NOT_FOUND),
        (PermissionError(errno.EACCES, "Permission denied", "m"), Exit.FAILED),
        (ValueError("broken"), None),
        (OSError("no file was named"), None),
    ],
)
def test_every_error_has_its_exit_code(error: Exception, code: Exit | None) -> None:
    assert exit_of(error) is code


def test_an_error_about_a_file_names_the_file() -> None:
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", "a.edf")
    assert explain(error) == "a.edf: No such file or directory"
