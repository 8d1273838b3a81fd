import math
from itertools import product

import numpy as np
import pytest

from decoders.speech.alignment import align, last_phoneme
from decoders.speech.ctc import collapse
from devices.speech.phonemes import BOUNDARY, CLASSES, phoneme_ids


def sure(*classes, p=0.9):
    """Return (n_steps, 41) of a network that says these classes."""
    table = np.full((len(classes), len(CLASSES)), (1 - p) / (len(CLASSES) - 1))
    table[np.arange(len(classes)), classes] = p
    return table


def brute(table, names):
    """Return how likely the likeliest path that says `names` is, and where each begins."""
    n_steps, n_classes = table.shape
    paths = [path for path in product(range(n_classes), repeat=n_steps) if collapse(path) == names]
    likely = [math.prod(table[range(n_steps), path]) for path in paths]
    best = paths[int(np.argmax(likely))]
    begins = [i for i, each in enumerate(best) if each and (i == 0 or best[i - 1] != each)]
    return math.log(max(likely)), begins


@pytest.mark.parametrize("names", [(1,), (1, 2), (2, 2), (1, 2, 1), (2, 1, 1)])
def test_the_path_is_the_likeliest_of_all_that_say_it(names):
    table = np.random.default_rng(len(names)).dirichlet(np.ones(3), 6)
    likely, begins = brute(table, names)
    found, (word,) = align(np.log(table), [[names]])
    assert found == pytest.approx(likely)
    assert (word.said, list(word.begins)) == (names, begins)


@pytest.mark.parametrize("seed", range(6))
def test_words_follow_one_another_each_in_the_way_that_is_likeliest(seed):
    table = np.random.default_rng(seed).dirichlet(np.ones(3), 7)
    words = [[(1, 2), (2,)], [(2, 1), (2, 2)]]
    found, aligned = align(np.log(table), words)
    tried = [(*brute(table, (*a, *b)), (a, b)) for a in words[0] for b in words[1]]
    likely, begins, said = max(tried)
    assert found == pytest.approx(likely)
    assert tuple(word.said for word in aligned) == said
    assert [b for word in aligned for b in word.begins] == begins


def test_what_cannot_be_said_in_so_few_steps_is_not():
    for table in (np.log(sure(5, 5)), np.zeros((0, 41))):
        assert align(table, [[(5, 5)]]) == (-math.inf, [])


def test_the_last_phoneme_of_a_word_is_found_before_its_boundary():
    k, ae, n, bound = phoneme_ids(("K", "AE", "N", BOUNDARY))
    assert last_phoneme(sure(k, ae, ae, 0, n, n, 0, 0, bound), "can") == 4
    assert last_phoneme(sure(k, 0, ae, n, bound), "can") == 3


def test_of_several_pronunciations_the_one_that_was_said_counts():
    dh, ah, iy, bound = phoneme_ids(("DH", "AH", "IY", BOUNDARY))
    assert last_phoneme(sure(dh, 0, ah, 0, bound), "the") == 2
    assert last_phoneme(sure(dh, 0, 0, iy, bound), "the") == 3


def test_of_a_word_that_nobody_can_say_nothing_is_known():
    assert last_phoneme(sure(0, 0, 0, 0), "§§§") is None
    assert last_phoneme(sure(5), "can") is None
