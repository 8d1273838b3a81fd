import threading
from queue import SimpleQueue

import numpy as np
import pytest

from bci_server.recording.ring import Ring


def test_pieces_are_given_until_it_is_full_and_again_after_release():
    ring = Ring(64)
    ends = []
    for _ in range(4):
        assert len(ring.reserve(16)) == 16
        ends.append(ring.end)
    assert ring.used == 64
    assert ring.reserve(8) is None
    ring.release(ends[0])
    assert ring.reserve(16) is not None
    assert ring.reserve(1) is None


def test_pieces_lie_in_one_stretch_also_at_the_end():
    ring = Ring(64)
    ring.reserve(40)
    first = ring.end
    assert ring.reserve(32) is None  # 24 are left at the end, none at the start
    ring.release(first)
    piece = ring.reserve(32)
    piece[:] = 1
    assert piece.view(np.float64).shape == (4,)
    assert ring.used == 24 + 32  # what was skipped is used as well


@pytest.mark.parametrize("n", [1, 7, 9])
def test_pieces_are_aligned_for_any_number(n):
    ring = Ring(64)
    ring.reserve(n)
    assert ring.reserve(8).ctypes.data % 8 == 0


def test_more_than_all_of_it_never_fits():
    assert Ring(64).reserve(65) is None


def test_two_threads_pass_everything_in_order():
    ring, told, released = Ring(1000), SimpleQueue(), threading.Semaphore(0)
    sizes = np.random.default_rng(0).integers(1, 300, 3000).tolist()
    wrong = []

    def read():
        for i, size in enumerate(sizes):
            piece, end = told.get(timeout=60)
            if not (piece[:size] == i % 251).all():
                wrong.append(i)
            ring.release(end)
            released.release()

    reader = threading.Thread(target=read)
    reader.start()
    for i, size in enumerate(sizes):
        while (piece := ring.reserve(size)) is None:
            assert released.acquire(timeout=60)
        piece[:size] = i % 251
        told.put((piece, ring.end))
    reader.join(60)
    assert wrong == []
    assert ring.used == 0
