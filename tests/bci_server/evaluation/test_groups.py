from pathlib import Path

import pytest

from bci_server.evaluation.groups import Source, folds, source_of
from decoders.stage import Mismatch
from tests.decoders.made import cued

DEVICE = cued()


def source(path: str, person: str = "", session: str = "") -> Source:
    return source_of(DEVICE, Path(path), person, session)


def test_bids_names_say_whose_and_which():
    found = source("data/sub-P01/ses-2/eeg/sub-P01_ses-2_task-x_run-1_eeg.xdf")
    assert (found.person, found.session) == ("P01", "2")


def test_the_name_of_the_file_says_it_better_than_its_folders():
    assert source("sub-P01/sub-P02_eeg.xdf").person == "P02"


def test_other_names_by_patterns():
    path = "ssvep/subject03_2012.07.11-15.25.23_raw.fif"
    found = source(path, r"subject(\d+)", r"\d\d\.\d\d\.\d\d")
    assert (found.person, found.session) == ("03", "15.25.23")


def test_what_is_no_pattern_is_said():
    with pytest.raises(Mismatch, match="person-pattern"):
        source("a.xdf", "(")


def test_a_session_is_left_out_against_the_others_of_the_same_person():
    paths = [f"sub-{p}_ses-{s}_run-{r}.xdf" for p in "ab" for s in "12" for r in "12"]
    found = folds([source(p) for p in paths], "session")
    assert [key for key, _, _ in found] == ["a 1", "a 2", "b 1", "b 2"]
    for key, left_out, rest in found:
        assert {s.key("session") for s in left_out} == {key}
        assert len(left_out) == len(rest) == 2
        assert {s.person for s in rest} == {key[0]}


def test_a_person_is_left_out_against_all_others():
    found = folds([source(f"sub-{p}_ses-{s}.xdf") for p in "abc" for s in "12"], "person")
    assert [(key, len(out), len(rest)) for key, out, rest in found] == [
        ("a", 2, 4),
        ("b", 2, 4),
        ("c", 2, 4),
    ]


def test_each_recording_against_the_others():
    found = folds([source(f"{n}.xdf") for n in "abc"], "recording")
    assert [len(rest) for _, _, rest in found] == [2, 2, 2]


def test_what_says_nothing_is_refused_with_the_remedy():
    with pytest.raises(Mismatch, match=r"a\.xdf .* --person-pattern"):
        folds([source("a.xdf"), source("b.xdf")], "person")
    with pytest.raises(Mismatch, match="--session-pattern"):
        folds([source("sub-a_x.xdf"), source("sub-a_y.xdf")], "session")


def test_nothing_to_fit_on_is_said():
    with pytest.raises(Mismatch, match="nothing is left to fit on when session 'a 1'"):
        folds([source("sub-a_ses-1.xdf"), source("sub-b_ses-1.xdf")], "session")
