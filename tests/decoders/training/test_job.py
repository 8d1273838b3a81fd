import subprocess
import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest

from decoders.decoder import Training
from decoders.models.rnn import Rnn
from decoders.stage import Mismatch
from decoders.training.job import Job, TrainingFailed, train_apart
from devices.signal import Signal
from tests.decoders.training.untrainable import Failing, Refusing

RECIPE = Rnn(epochs=6, patience=6, units=8, stretch=20, warm_up=4, members=2, batch=16)


def training(n=400, seed=0):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.standard_normal((n, 2)), axis=0) / 10
    rows = values @ rng.standard_normal((2, 5)) + 0.3 * rng.standard_normal((n, 5))
    signal = Signal(20.0, tuple("abcde"), "1")
    return Training(signal, rows, values, np.zeros(n, np.int64), ("vx", "vy"), "m/s")


def as_bytes(weights):
    return {name: array.tobytes() for name, array in weights.items()}


@pytest.fixture(scope="module")
def fitted():
    return as_bytes(RECIPE.fit(training()))


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from decoders.training.job import train_apart
from tests.decoders.training.test_job import RECIPE, training
train_apart(RECIPE, training(), Path({folder!r}), lambda what, done: print(what, done, flush=True))
"""


def test_killed_with_its_parent_it_goes_on_to_the_same_bits(tmp_path, fitted, pytestconfig):
    script = KILLED.format(root=str(pytestconfig.rootpath), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        for _ in range(3):
            assert b"member-1" in parent.stdout.readline()
        (worker,) = psutil.Process(parent.pid).children()
        parent.kill()
    worker.wait(timeout=60)
    said = []
    weights = train_apart(RECIPE, training(), tmp_path, lambda what, done: said.append(what))
    assert as_bytes(weights) == fitted
    assert len(said) < 2 * RECIPE.epochs - 2
    # Asked for once more, nothing is computed; another rounding or score starts no new training.
    again = train_apart(RECIPE, training(), tmp_path, lambda what, done: pytest.fail(what))
    assert as_bytes(again) == fitted


def test_other_rows_or_settings_are_another_job(tmp_path):
    folders = {
        Job.prepare(tmp_path, recipe, rows).folder
        for recipe, rows in [
            (RECIPE, training()),
            (RECIPE, training(seed=1)),
            (Rnn(seed=1), training()),
            (Rnn(seed=1, folds=3, precision="int8"), training()),
        ]
    }
    assert len(folders) == 3


def test_a_job_is_read_as_it_was_written(tmp_path):
    recipe, rows = Job.prepare(tmp_path, RECIPE, training()).read()
    assert recipe == RECIPE
    assert rows.signal == training().signal
    assert (rows.labels, rows.unit) == (("vx", "vy"), "m/s")
    assert rows.features.tobytes() == training().features.tobytes()
    assert rows.targets.tobytes() == training().targets.tobytes()
    assert rows.ages is None
    aged = replace(training(), ages=np.arange(400))
    assert (Job.prepare(tmp_path, RECIPE, aged).read()[1].ages == np.arange(400)).all()


def test_what_the_worker_refuses_is_said_here(tmp_path):
    with pytest.raises(Mismatch, match="10 rows are too few"):
        train_apart(Refusing(), training(10), tmp_path)


def test_a_worker_that_fails_says_how(tmp_path):
    said = []
    with pytest.raises(TrainingFailed, match=r"exit code 1(.|\n)*the last words"):
        train_apart(Failing(), training(), tmp_path, lambda what, done: said.append((what, done)))
    assert said == [("about to fail", 0.5)]
