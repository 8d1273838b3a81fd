import ctypes
import random
from pathlib import Path

import numpy as np
import pytest

from decoders.speech import search
from decoders.speech.folder import LanguageFolder
from decoders.speech.lexicon import Lexicon
from decoders.speech.search import Search, Weighing
from decoders.speech.ties import offsets
from tests.decoders.speech import tiny_language as tiny

N_STEPS, N_CLASSES = 30, 41
LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.malloc.argtypes = [ctypes.c_size_t]
LIBC.free.argtypes = [ctypes.c_void_p]


def stir(seed):
    """Leave holes in the heap, so that what is allocated next lies in another order."""
    draw = random.Random(seed)
    blocks = [LIBC.malloc(16 * draw.randrange(3, 17)) for _ in range(8000)]
    holes = blocks[::2]
    draw.shuffle(holes)
    for hole in holes:
        LIBC.free(hole)


def tables():
    """Probabilities with ties: nothing known, all but one at 0, coarse ones, and pairs."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        yield np.full((N_STEPS, N_CLASSES), 1 / N_CLASSES)
        sure = np.zeros((N_STEPS, N_CLASSES))
        sure[np.arange(N_STEPS), rng.integers(0, N_CLASSES, N_STEPS)] = 1.0
        yield sure
        coarse = np.round(rng.dirichlet(np.full(N_CLASSES, 0.3), N_STEPS) * 16) + 0.01
        yield coarse / coarse.sum(axis=1, keepdims=True)
        pairs = rng.dirichlet(np.full(20, 0.5), N_STEPS).repeat(2, axis=1)
        yield np.hstack([pairs, pairs[:, :1]]) / (2 + pairs[:, :1])


def searched(folder, beam, seed):
    """Return all that searches say, in a heap that was stirred before."""
    stir(seed)
    lexicon = Lexicon(folder.lexemes(), ("<new:2:0>", "<new:2:1>"), str(folder.arpa))
    said = []
    for table in tables():
        stir(seed)
        each = Search(lexicon, Weighing(beam, 0.7, 1.0), len(table))
        for row in table:
            each.step(row)
            said.append(each.best())
        found = each.end()
        columns = (found.scores, found.firsts, found.lasts, found.heard)
        said.append((found.texts(len(found)), [c.tolist() for c in columns]))
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("flashlight.lib.text")
    return LanguageFolder.read(Path(tiny.make(tmp_path_factory.mktemp("languages") / "tiny")))


@pytest.mark.parametrize("beam", [3, 100])
def test_where_things_lie_in_memory_decides_nothing(folder, beam):
    assert searched(folder, beam, 1) == searched(folder, beam, 2)


def test_without_offsets_it_would(folder, monkeypatch):
    monkeypatch.setattr(search, "offsets", lambda *shape: np.zeros(shape))
    assert searched(folder, 3, 1) != searched(folder, 3, 2)


def test_no_two_classes_of_a_step_are_as_likely_after_rounding():
    for level in (0.0, np.log(1 / N_CLASSES), np.log(1e-8)):
        rows = (level + offsets(400, N_CLASSES)).astype(np.float32)
        assert (np.diff(np.sort(rows, axis=1), axis=1) > 0).all()


def test_the_order_of_two_classes_matters():
    apart = offsets(400, N_CLASSES)
    one = apart[:-1, :, None] + apart[1:, None, :]
    other = one.transpose(0, 2, 1)
    different = ~np.eye(N_CLASSES, dtype=bool)
    assert (one[:, different] != other[:, different]).mean() > 0.999


def test_offsets_are_small_and_those_of_a_step_never_change():
    assert 0 <= offsets(400, N_CLASSES).min() < offsets(400, N_CLASSES).max() < 2**-10
    np.testing.assert_array_equal(offsets(10, N_CLASSES), offsets(400, N_CLASSES)[:10])
    assert (2**10 * offsets(1, 3))[0] == pytest.approx([0.8138851325, 0.4052546620, 0.0044056276])
