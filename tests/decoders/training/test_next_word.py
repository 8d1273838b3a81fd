import math
from dataclasses import replace

import numpy as np
import pytest

from decoders.speech.next_word import SPECIAL, NextWord, write
from decoders.storage import ArtifactError

torch = pytest.importorskip("torch")

from decoders.networks.next_word import NextWordNetwork  # noqa: E402
from decoders.training.next_word import NextWordRecipe, train_next_word  # noqa: E402

SAID = [("i", "want", "water"), ("you", "see", "the", "sea"), ("no",)] * 60
RECIPE = NextWordRecipe(size=16, epochs=20, batch=64, learning_rate=0.03, dropout=0.0)
LEXICON = frozenset(word for words in SAID for word in words)


@pytest.fixture(scope="module")
def trained():
    return train_next_word(SAID, LEXICON, RECIPE)


def network_of(trained, path):
    write(path, trained.words, trained.arrays)
    return NextWord.read(path)


def test_it_learns_what_follows_what(trained, tmp_path):
    network = network_of(trained, tmp_path / "n.safetensors")
    state = network.start
    for word, after in (("i", "want"), ("want", "water"), ("water", "</s>")):
        state = network.after(state, np.array([network.numbers[word]]))
        assert network.log_likely(state, np.array([network.numbers[after]]))[0] > math.log(0.8)
    # Of the four held-out sentences, 15 words with their ends: each is one of three, then sure.
    assert trained.perplexity == pytest.approx(3 ** (4 / 15), rel=0.05)


def test_it_runs_as_it_was_trained(tmp_path):
    torch.manual_seed(0)
    words = [*SPECIAL, *(f"w{i}" for i in range(57))]
    network = NextWordNetwork(60, 32, [10, 30], 0.5).eval()
    arrays = {name: a.numpy().copy() for name, a in network.arrays().items()}
    arrays = {n: a.astype(np.float16) if a.dtype == np.float32 else a for n, a in arrays.items()}
    with torch.no_grad():
        rounded = network.arrays()
        for name, a in arrays.items():
            rounded[name].copy_(torch.from_numpy(a))
        rows = torch.from_numpy(np.random.default_rng(0).integers(0, 60, (5, 12)))
        rows[:, 0] = 1
        wanted = network(rows).numpy()
    write(tmp_path / "n.safetensors", words, arrays)
    live = NextWord.read(tmp_path / "n.safetensors")
    states, found = np.repeat(live.start, 5, axis=0), []
    for column in rows.numpy().T[1:]:
        found.append(live.log_likely(states, column))
        states = live.after(states, column)
    np.testing.assert_allclose(np.array(found).T, wanted, atol=2e-5)


def test_what_may_follow_adds_up_to_one(trained, tmp_path):
    network = network_of(trained, tmp_path / "n.safetensors")
    numbers = np.arange(len(network.numbers))
    states = np.repeat(network.start, len(numbers), axis=0)
    assert np.exp(network.log_likely(states, numbers)).sum() == pytest.approx(1.0, abs=1e-5)


def test_the_same_text_gives_the_same_network():
    one, other = (train_next_word(SAID, LEXICON, replace(RECIPE, epochs=2)) for _ in range(2))
    assert one.words == other.words
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(other.arrays[name], array)


def test_it_knows_only_frequent_words_that_can_be_said():
    said = [*SAID, ("rare",), *[("unsayable",)] * 9]
    quick = NextWordRecipe(size=16, epochs=1, most_words=10)
    trained = train_next_word(said, LEXICON | {"rare"}, quick)
    assert trained.words[:3] == list(SPECIAL)
    assert len(trained.words) == 10
    assert {"rare", "unsayable"}.isdisjoint(trained.words)


def test_a_text_too_short_is_refused():
    with pytest.raises(ArtifactError, match="more than 50 sentences"):
        train_next_word([("no",)], frozenset(("no",)))


def test_a_file_that_is_none_is_refused(trained, tmp_path):
    path = tmp_path / "n.safetensors"
    path.write_text("no network")
    with pytest.raises(ArtifactError, match="no network of the next word"):
        NextWord.read(path)
    write(path, trained.words[:-1], trained.arrays)
    with pytest.raises(ArtifactError, match="has 11 rows, not 10"):
        NextWord.read(path)
