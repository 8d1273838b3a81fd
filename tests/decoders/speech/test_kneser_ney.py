import numpy as np
import pytest

from decoders.speech.kneser_ney import BEGIN, END, UNKNOWN, estimate, number

SENTENCES = [
    tuple(text.split())
    for text in (
        ["the cat sat"] * 3
        + ["the cat ran", "a dog ran", "a cat sat here", "the dog sat", "dogs ran here", "i sat"]
        + ["the end", "no cat", "no dog sat", "the cat sat on a dog"]
    )
]
WORDS = [UNKNOWN, BEGIN, END, *sorted({w for s in SENTENCES for w in s}), "never"]


def likely(tables, context, word):
    """Return how likely `word` is after the words of `context`, by backing off as ARPA has it."""
    table = tables[len(context)]
    rows = np.flatnonzero(table.words == word)
    if context:
        found = index(tables, context)
        rows = rows[table.contexts[rows] == found] if found is not None else rows[:0]
    if len(rows):
        return table.probabilities[rows[0]]
    found = index(tables, context)
    left = 1.0 if found is None else tables[len(context) - 1].backoffs[found]
    return left * likely(tables, context[1:], word)


def index(tables, gram):
    """Return the number of an n-gram in its table; None if it is not there."""
    before = 0
    for table, word in zip(tables, gram, strict=False):
        rows = np.flatnonzero((table.words == word) & (table.contexts == before))
        if not len(rows):
            return None
        before = int(rows[0])
    return before


@pytest.fixture(scope="module", params=[1, 2, 3, 4])
def tables(request):
    return estimate(number(SENTENCES, WORDS), len(WORDS), request.param)


def test_what_may_follow_adds_up_to_one_after_anything(tables):
    may_follow = [i for i, word in enumerate(WORDS) if word != BEGIN]
    contexts = [["the"], ["the", "cat"], [BEGIN], [BEGIN, "a"], ["never"], ["the", "cat", "sat"]]
    for context in [[], *contexts]:
        numbers = [WORDS.index(w) for w in context][-(len(tables) - 1) :] if len(tables) > 1 else []
        total = sum(likely(tables, numbers, word) for word in may_follow)
        assert total == pytest.approx(1)


def test_what_was_read_more_often_is_likelier_and_nothing_is_impossible():
    tables = estimate(number(SENTENCES, WORDS), len(WORDS), 3)
    n = {word: i for i, word in enumerate(WORDS)}
    after = [n["the"], n["cat"]]
    assert likely(tables, after, n["sat"]) > likely(tables, after, n["ran"])
    assert likely(tables, after, n["ran"]) > likely(tables, after, n["dog"])
    assert likely(tables, after, n["never"]) > 0


def test_a_word_that_follows_many_is_likelier_than_one_that_follows_one_often():
    sentences = [("san", "francisco")] * 30
    sentences += [(f"w{i}", "glasses") for i in range(8)]
    words = [UNKNOWN, BEGIN, END, "san", "francisco", "glasses", *(f"w{i}" for i in range(8))]
    tables = estimate(number(sentences, words), len(words), 2)
    assert tables[0].probabilities[5] > tables[0].probabilities[4]


def test_it_is_the_model_that_the_paper_defines():
    """Two orders by hand: interpolated, discounts by counts of counts, adjusted unigrams."""
    sentences = [tuple(t.split()) for t in ("a b", "a b", "a b", "a b", "a c", "c b", "b b b")]
    sentences += [tuple(t.split()) for t in ("a d a d", "c d", "d b d b", "b c c c", "c a c a c")]
    words = [UNKNOWN, BEGIN, END, "a", "b", "c", "d"]
    tables = estimate(number(sentences, words), len(words), 2)

    pairs = {}
    for sentence in sentences:
        for pair in zip((BEGIN, *sentence), (*sentence, END), strict=True):
            pairs[pair] = pairs.get(pair, 0) + 1
    adjusted = {w: sum(b == w for _, b in pairs) for w in words}

    def discounted(counts):
        n = [0] + [sum(c == k for c in counts) for k in (1, 2, 3, 4)]
        if min(n[1:]) == 0:
            return [0, 0.5, 1.0, 1.5]
        y = n[1] / (n[1] + 2 * n[2])
        return [0, *(k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))]

    d1, d2 = discounted(adjusted.values()), discounted(pairs.values())
    total = sum(adjusted.values())
    left = sum(d1[min(c, 3)] for c in adjusted.values()) / total
    one = {w: (adjusted[w] - d1[min(adjusted[w], 3)]) / total + left / 6 for w in words}
    of_a = {pair: c for pair, c in pairs.items() if pair[0] == "a"}
    n_a = sum(of_a.values())
    left_a = sum(d2[min(c, 3)] for c in of_a.values()) / n_a
    for (_, word), count in of_a.items():
        wanted = (count - d2[min(count, 3)]) / n_a + left_a * one[word]
        assert likely(tables, [words.index("a")], words.index(word)) == pytest.approx(wanted)
    assert tables[0].backoffs[words.index("a")] == pytest.approx(left_a)
