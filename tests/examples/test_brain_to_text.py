import re
from functools import partial

import h5py
import numpy as np
import pytest

from decoders.speech.sentences import Sentences
from devices.recording.about import read_about
from devices.recording.formats import open_recording
from devices.signal import Event
from devices.speech.phonemes import phoneme_ids
from devices.speech.pronunciation import phonemes_of

SESSION = "t15.2023.08.11"


@pytest.fixture
def run(dataset_script):
    return partial(dataset_script, "brain_to_text")


def put_trial(file, k, features, sentence, block=3, trial=None):
    """Add a trial as the public files have it; `sentence` None as in the test part."""
    group = file.create_group(f"trial_{k:04d}")
    group["input_features"] = features
    attrs = {"n_time_steps": len(features), "session": SESSION, "block_num": block}
    group.attrs.update(attrs | {"trial_num": k if trial is None else trial})
    if sentence is not None:
        ids = np.zeros(500, np.int32)
        said = phoneme_ids(phonemes_of(sentence))
        ids[: len(said)] = said
        codes = np.zeros(500, np.int32)
        codes[: len(sentence)] = [ord(c) for c in sentence]
        group["seq_class_ids"] = ids
        group["transcription"] = codes
        group.attrs.update({"seq_len": len(said), "sentence_label": sentence})


def features(n, seed=0, columns=512):
    return np.random.default_rng(seed).normal(0, 1, (n, columns)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    day = tmp_path / "hdf5_data_final" / SESSION
    day.mkdir(parents=True)
    with h5py.File(day / "data_train.hdf5", "w") as file:
        # Not in the order in which they were said, and of two blocks.
        put_trial(file, 0, features(200, 0), "How are you?", block=3, trial=1)
        put_trial(file, 1, features(120, 1), "I'm fine.", block=3, trial=0)
        put_trial(file, 2, features(90, 2), "Yes.", block=5, trial=0)
    with h5py.File(day / "data_test.hdf5", "w") as file:
        put_trial(file, 0, features(80, 3), None, block=7, trial=4)
    return tmp_path / "hdf5_data_final"


def sentences_in(recording):
    with_markers = recording.markers["sentences"]
    track = recording.default
    times = track.times(0, track.n_samples)
    events = [Event(int(np.searchsorted(times, m.time_s - 1e-6)), m.label) for m in with_markers]
    return Sentences().of(events, track.signal.rate_hz)


def test_a_block_is_a_recording_with_its_trials_in_order_and_gaps_between(tmp_path, folder, run):
    assert run(folder, tmp_path / "out") == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "sub-t15_ses-20230811_task-copy_run-03_train.xdf",
        "sub-t15_ses-20230811_task-copy_run-05_train.xdf",
        "sub-t15_ses-20230811_task-copy_run-07_test.xdf",
    ]
    recording = open_recording(tmp_path / "out" / names[0])
    track = recording.default
    assert track.signal.channels[:2] == ("tx-000", "tx-001")
    assert track.signal.channels[256] == "sbp-000"
    assert track.signal.rate_hz == 50
    expected = np.concatenate((features(120, 1), features(200, 0)))
    assert np.array_equal(track.read(0, 320), expected)
    assert track.breaks.tolist() == [120]
    said = sentences_in(recording)
    assert [s.text for s in said] == ["I'm fine.", "How are you?"]
    # Each sentence has the rows of its own trial, to the last.
    assert [(s.first, s.last) for s in said] == [(0, 119), (120, 319)]
    recording.close()
    assert read_about(tmp_path / "out" / names[0]).session == "20230811"


def test_the_test_part_has_trials_without_sentences(tmp_path, folder, run):
    assert run(folder / SESSION / "data_test.hdf5", tmp_path / "out") == 0
    (path,) = (tmp_path / "out").iterdir()
    recording = open_recording(path)
    assert len(recording.markers.get("sentences", ())) == 0
    assert [m.label for m in recording.markers["trials"]] == ["trial 4"]
    recording.close()


def test_without_a_label_the_character_codes_are_read(tmp_path, folder, run):
    path = folder / SESSION / "data_train.hdf5"
    with h5py.File(path, "a") as file:
        del file["trial_0002"].attrs["sentence_label"]
    assert run(path, tmp_path / "out") == 0
    recording = open_recording(tmp_path / "out" / "sub-t15_ses-20230811_task-copy_run-05_train.xdf")
    assert [s.text for s in sentences_in(recording)] == ["Yes."]
    recording.close()


def test_padding_is_left_out(tmp_path, folder, run):
    path = folder / SESSION / "data_train.hdf5"
    with h5py.File(path, "a") as file:
        file["trial_0002"].attrs["n_time_steps"] = 60
    assert run(path, tmp_path / "out") == 0
    recording = open_recording(tmp_path / "out" / "sub-t15_ses-20230811_task-copy_run-05_train.xdf")
    assert recording.default.n_samples == 60
    recording.close()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.create_group("other"), "'other' where trial_0000 and others should be"),
        (lambda f: f["trial_0000"].attrs.pop("n_time_steps"), "trial_0000: .*n_time_steps"),
        (lambda f: f["trial_0000"].attrs.update(session="day one"), "'day one' is not named as"),
        (lambda f: put_trial(f, 9, features(50, 0, 300), "No"), r"\(50, 300\); it should have 512"),
        (lambda f: put_trial(f, 9, features(9), "No"), "9 rows are no sentence"),
    ],
)
def test_another_layout_is_refused_by_what_is_other(tmp_path, folder, run, capsys, spoil, message):
    path = folder / SESSION / "data_train.hdf5"
    with h5py.File(path, "a") as file:
        spoil(file)
    assert run(path, tmp_path / "out") == 1
    assert re.search(message, capsys.readouterr().err)


def test_what_is_not_there_is_said_and_nothing_is_overwritten(tmp_path, folder, run, capsys):
    assert run(tmp_path / "none", tmp_path / "out") == 1
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", tmp_path / "out") == 1
    assert "no data_train.hdf5" in capsys.readouterr().err
    assert run(folder, tmp_path / "out") == 0
    assert run(folder, tmp_path / "out") == 1
