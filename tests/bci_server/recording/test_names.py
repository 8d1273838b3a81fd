from dataclasses import replace

import pytest

from bci_server.recording.names import Record, create_file


def create(record, root, task="reach-1"):
    with create_file(replace(record, folder=str(root / record.folder)), task) as file:
        return file.path.relative_to(root).as_posix()


def test_names_are_made_of_bids_entities_and_the_run_goes_up(tmp_path):
    record = Record(participant="P01", session="02", task="imagery")
    folder = "recordings/sub-P01/ses-02/eeg/"
    names = [create(record, tmp_path) for _ in range(3)]
    assert names == [
        f"{folder}sub-P01_ses-02_task-imagery_run-{run:03d}_eeg.xdf" for run in (1, 2, 3)
    ]


def test_what_is_not_said_is_left_out_and_the_session_names_the_task(tmp_path):
    record = Record(participant="P01", modality="ieeg", folder="x")
    assert create(record, tmp_path) == "x/sub-P01/ieeg/sub-P01_task-reach1_run-001_ieeg.xdf"


def test_a_run_that_is_there_in_any_form_is_not_reused(tmp_path):
    record = Record(participant="P01", task="a")
    first = tmp_path / create(record, tmp_path)
    for name in ("sub-P01_task-a_run-007_eeg.xdf.crc", "sub-P01_task-a_run-009_desc-x_eeg.json"):
        (first.parent / name).touch()
    assert "_run-010_" in create(record, tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"participant": ""},
        {"participant": "Jane Doe"},
        {"participant": "../../etc"},
        {"participant": "P01", "session": "a_b"},
        {"participant": "P01", "task": "x/y"},
        {"participant": "P01", "consent": "line\nbreak"},
        {"participant": "P01", "consent": "x" * 65},
        {"participant": "P01", "buffer_s": 0},
        {"participant": "P01", "sync_s": float("nan")},
        {"participant": "P01", "warn_free_mb": -1},
    ],
)
def test_what_cannot_name_a_file_is_refused(wrong):
    with pytest.raises(ValueError, match=r"letters|positive"):
        Record(**wrong)
