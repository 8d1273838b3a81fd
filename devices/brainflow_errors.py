"""What BrainFlow's exit codes mean to the person at the headset, and what to check."""

from __future__ import annotations

from devices.device import DeviceError, DeviceLost, DeviceNotFound, DeviceRefused

__all__ = ["explain"]

# exit code of BrainFlow -> what we raise, what it means, what to check
_MEANINGS: dict[str, tuple[type[DeviceError], str, str]] = {
    "PORT_ALREADY_OPEN_ERROR": (
        DeviceRefused,
        "the port is already open",
        "close the other program that uses the board (its own GUI, a second session)",
    ),
    "UNABLE_TO_OPEN_PORT_ERROR": (
        DeviceNotFound,
        "the port or adapter cannot be opened",
        "check that the dongle or Bluetooth adapter is plugged in, that serial_port names it "
        "(`ls /dev/tty*`), and that you may use it (on Linux: group dialout)",
    ),
    "SET_PORT_ERROR": (
        DeviceRefused,
        "the port opened but could not be set up",
        "check that serial_port is the board's and not another device's",
    ),
    "SER_PORT_ERROR": (
        DeviceRefused,
        "the port opened but could not be set up",
        "check that serial_port is the board's and not another device's",
    ),
    "BOARD_WRITE_ERROR": (
        DeviceLost,
        "nothing could be written to the board",
        "check its cable, dongle and battery, and switch it off and on",
    ),
    "INCOMMING_MSG_ERROR": (
        DeviceLost,
        "the board's answer could not be read",
        "check its battery and distance, and that board is the model you have",
    ),
    "INITIAL_MSG_ERROR": (
        DeviceNotFound,
        "the board did not greet as this model does",
        "check that board is the model you have and that its firmware is up to date",
    ),
    "BOARD_NOT_READY_ERROR": (
        DeviceNotFound,
        "the board was not found or is not ready",
        "switch it on, bring it near, charge it; give mac_address or serial_number if several "
        "are around",
    ),
    "STREAM_ALREADY_RUN_ERROR": (
        DeviceRefused,
        "the board is streaming already",
        "close the other session in this process",
    ),
    "INVALID_BUFFER_SIZE_ERROR": (
        DeviceRefused,
        "the buffer has an impossible size",
        "give buffer_s between 1 and 3600",
    ),
    "STREAM_THREAD_ERROR": (
        DeviceLost,
        "the board stopped streaming",
        "check its battery and connection, then start again",
    ),
    "STREAM_THREAD_IS_NOT_RUNNING": (
        DeviceLost,
        "the board stopped streaming",
        "check its battery and connection, then start again",
    ),
    "INVALID_ARGUMENTS_ERROR": (
        DeviceRefused,
        "a connection field is missing or wrong for this board",
        "see https://brainflow.readthedocs.io/en/stable/SupportedBoards.html for those it needs "
        "(Cyton: serial_port; Wi-Fi boards: ip_address, ip_port; playback: file, master_board)",
    ),
    "UNSUPPORTED_BOARD_ERROR": (
        DeviceRefused,
        "this BrainFlow does not know the board, preset or operating system's support for it",
        "check board and preset; `pip install -U brainflow` for newer boards",
    ),
    "BOARD_NOT_CREATED_ERROR": (
        DeviceLost,
        "the session is gone",
        "start again",
    ),
    "ANOTHER_BOARD_IS_CREATED_ERROR": (
        DeviceRefused,
        "this board is open already in this process",
        "close the other session first",
    ),
    "SYNC_TIMEOUT_ERROR": (
        DeviceNotFound,
        "no sample came in time",
        "check that it is switched on, charged and near, or give a longer timeout_s",
    ),
}
_OTHER = (
    DeviceRefused,
    "BrainFlow failed without saying why",
    "check battery, cable and the connection fields, and that nothing else uses the board",
)


def explain(board: str, code: str, while_doing: str) -> DeviceError:
    """Return the error to raise for BrainFlow's exit code.

    Parameters
    ----------
    board
        Name of the board.
    code
        Name of the exit code, such as ``"BOARD_NOT_READY_ERROR"``.
    while_doing
        What failed: ``"opening"``, ``"reading"``.
    """
    kind, meaning, remedy = _MEANINGS.get(code, _OTHER)
    return kind(f"{board}: {while_doing} failed: {meaning} ({code}). To mend it: {remedy}.")
