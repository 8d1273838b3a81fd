import numpy as np
import pytest

from decoders.speech.phoneme_errors import distance, phoneme_scores


@pytest.mark.parametrize(
    ("meant", "said", "n"),
    [
        ("kitten", "sitting", 3),
        ("", "abc", 3),
        ("abc", "", 3),
        ("abc", "abc", 0),
        ("abcdef", "bcdefg", 2),
        ("aaaa", "aabaaa", 2),
    ],
)
def test_the_fewest_edits_from_one_to_the_other(meant: str, said: str, n: int) -> None:
    assert distance([ord(c) for c in meant], [ord(c) for c in said]) == n


def test_edits_are_those_of_the_textbook_s_table() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        a, b = (rng.integers(0, 4, rng.integers(0, 9)) for _ in range(2))
        table = np.add.outer(np.arange(len(a) + 1), np.arange(len(b) + 1))
        for i in range(1, len(a) + 1):
            for j in range(1, len(b) + 1):
                replaced = table[i - 1, j - 1] + (a[i - 1] != b[j - 1])
                table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, replaced)
        assert distance(a, b) == table[-1, -1]


def test_scores_count_edits_over_all_phonemes_beside_what_chance_scores() -> None:
    meant = [[1, 2, 3, 4], [5, 6], [7, 8, 9, 10], [11, 12]]
    scores = phoneme_scores(meant, [[1, 2, 3, 4], [5, 7], [7, 8, 9], [11, 12]])
    assert scores["phoneme_error_rate"] == pytest.approx(2 / 12)
    assert scores["ci95"][0] <= 2 / 12 <= scores["ci95"][1]
    assert scores["chance"] == 1.0
    assert (scores["n"], scores["n_phonemes"]) == (4, 12)
