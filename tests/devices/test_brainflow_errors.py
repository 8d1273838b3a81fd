import pytest

from devices.brainflow_errors import explain
from devices.device import DeviceLost, DeviceNotFound, DeviceRefused


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("UNABLE_TO_OPEN_PORT_ERROR", DeviceNotFound, "dialout"),
        ("BOARD_NOT_READY_ERROR", DeviceNotFound, "switch it on"),
        ("SYNC_TIMEOUT_ERROR", DeviceNotFound, "timeout_s"),
        ("PORT_ALREADY_OPEN_ERROR", DeviceRefused, "other program"),
        ("BOARD_WRITE_ERROR", DeviceLost, "battery"),
        ("GENERAL_ERROR", DeviceRefused, "connection fields"),
        ("A_CODE_OF_TOMORROW", DeviceRefused, "A_CODE_OF_TOMORROW"),
    ],
)
def test_each_code_says_what_it_means_and_what_to_check(code, kind, says):
    error = explain("CYTON_BOARD", code, "opening")
    assert type(error) is kind
    assert str(error).startswith("CYTON_BOARD: opening failed: ")
    assert says in str(error)
    assert code in str(error)
