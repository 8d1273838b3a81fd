from decoders.speech.sounds import Sounds

SOUNDS = Sounds({(1, 2): [0, 1], (1,): [2], (1, 2, 3): [3], (2, 1): [3, 4]}, [-1, -2, -3, -0.5, -4])


def test_words_begin_with_what_was_heard_the_likeliest_first():
    assert SOUNDS.beginning(bytes((1,)), 9) == [3, 0, 1, 2]
    assert SOUNDS.beginning(bytes((1, 2)), 2) == [3, 0]
    assert SOUNDS.beginning(bytes((3,)), 9) == []


def test_a_word_with_two_pronunciations_that_begin_so_counts_once():
    assert Sounds({(1, 2): [0], (1, 3): [0]}, [0.0]).beginning(bytes((1,)), 9) == [0]


def test_words_that_are_said_just_so():
    assert SOUNDS.same(bytes((1, 2))) == [0, 1]
    assert SOUNDS.same(bytes((1, 3))) == []
