import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decoders.decoder import Moment
from decoders.output import Prediction
from decoders.speech.ctc import edits
from decoders.speech.folder import write_manifest
from decoders.speech.language import Language
from decoders.storage import ArtifactError
from devices.speech.phonemes import CLASSES
from tests.decoders.speech import tiny_language as tiny
from tests.decoders.speech.tiny_language import HOP, RATE_HZ, finals, heard, run, silence

pytest.importorskip("flashlight.lib.text")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.make(tmp_path_factory.mktemp("languages") / "tiny")


@pytest.fixture(scope="module")
def loaded(folder):
    return Language(folder).load()


def spoken(*sentences, sure=0.9):
    parts = [silence(3)]
    for sentence in sentences:
        parts += [heard(sentence, sure), silence(12)]
    return np.concatenate(parts)


def start(loaded):
    return loaded.start(RATE_HZ, HOP)


def test_a_sentence_comes_word_by_word_and_is_final_after_a_pause(loaded):
    said = run(start(loaded), spoken("i want water"))
    assert finals(said) == ["i", "want", "water"]
    assert [t.segment_final for _, t in said if t.is_final] == [False, False, True]
    interim = [t for _, t in said if not t.is_final]
    assert [t.text for t in interim] == ["i", "want", "water"]
    assert [t.item for t in interim] == [t.item for _, t in said if t.is_final]


def shown(loaded, text):
    """Return when each text was shown, in steps after the first phoneme; and the final words."""
    said = run(start(loaded), spoken(text))
    first = [((sample + 1) // 80 - 4, t.text) for sample, t in said if not t.is_final]
    return first, finals(said)


def test_a_word_is_shown_at_its_boundary_at_the_latest(folder):
    table = spoken("you can see the sea")
    boundaries = [80 * (i + 1) for i in np.flatnonzero(table.argmax(axis=1) == 40)]
    for guess, soonest in ((0.9, -1000), (1.0, 0)):
        loaded = Language(folder, guess=guess).load()
        times = [sample + 1 for sample, t in run(start(loaded), table) if not t.is_final]
        late = [s - b for s, b in zip(times, boundaries, strict=True)]
        assert soonest <= min(late) <= max(late) <= 300


def test_a_word_is_shown_before_its_end_where_no_other_is_nearly_as_likely(loaded):
    # Classes are two steps apart: K of "can" is at 6, its boundary at 12.
    assert shown(loaded, "you can") == ([(0, "you"), (6, "can")], ["you", "can"])
    # After "want", candy is likelier than can until the boundary says that it is not.
    assert shown(loaded, "i want can")[0][-1] == (20, "can")


def test_a_word_that_was_shown_too_soon_is_taken_back(loaded):
    said = run(start(loaded), spoken("you candy"))
    (can,) = [t for _, t in said if t.text == "can"]
    texts = [t.text for _, t in said if t.item == can.item]
    assert texts[:2] in (["can", ""], ["can", "candy"])
    assert finals(said) == ["you", "candy"]


@pytest.mark.parametrize("seed", range(4))
def test_final_words_are_the_same_whether_words_are_guessed_or_not(folder, seed):
    rng = np.random.default_rng(seed)
    table = spoken("you can see the sea i want candy", sure=0.8)
    table = table * np.exp(rng.normal(0, 1.0, table.shape))
    table /= table.sum(axis=1, keepdims=True)

    def told(guess):
        said = run(start(Language(folder, guess=guess).load()), table)
        return [(sample, replace(t, item=0)) for sample, t in said if t.is_final]

    assert told(0.7) == told(1.0)
    assert told(1.0)


def test_an_interim_word_may_be_less_sure_than_a_final_one_must_be(folder):
    language = Language(folder, confidence=0.95).load()
    said = run(start(language), spoken("know"))  # or "no", the likelier one
    assert [t.text for _, t in said] == ["no", ""]
    assert 0.2 <= said[0][1].confidence < 0.95


def test_what_is_heard_no_better_than_noise_is_not_guessed(loaded):
    told = run(start(loaded), spoken("you can", sure=0.25))
    assert not [t for _, t in told if t.text and not t.is_final]


def test_words_that_sound_alike_are_told_apart_by_what_was_said_before(loaded):
    said = run(start(loaded), spoken("you can sea the see"))
    assert finals(said) == ["you", "can", "see", "the", "sea"]
    last = [t for _, t in said if t.is_final][-1]
    assert last.alternatives[0].text == "see"
    assert 0 < last.alternatives[0].confidence < last.confidence


def test_a_word_knows_its_samples(loaded):
    tokens = [t for _, t in run(start(loaded), spoken("i want water")) if t.is_final]
    assert [(t.first, t.last) for t in tokens] == [(240, 479), (560, 1279), (1360, 2079)]


def test_an_unclear_phoneme_is_settled_by_the_words_around_it(loaded):
    table = spoken("i want water")
    table[[7, 9]] = table[[9, 7]]  # W AA N T as W N AA T
    assert finals(run(start(loaded), table)) == ["i", "want", "water"]


def test_silence_says_nothing(loaded):
    run_ = start(loaded)
    assert run(run_, silence(7500)) == []
    assert not run_.utterances


def test_noise_says_nothing_that_is_told(loaded):
    noise = np.random.default_rng(3).dirichlet(np.full(len(CLASSES), 0.5), 600)
    said = run(start(loaded), noise)
    assert [t.text for _, t in said if t.is_final] == []


def test_finalize_ends_at_once_and_reset_takes_back(loaded):
    table = np.concatenate([silence(3), heard("i want"), silence(2)])
    end = len(table) * 80 - 1
    said = run(start(loaded), table, [(end, "finalize")])
    assert finals(said) == ["i", "want"]
    assert said[-1][0] == end

    said = run(start(loaded), table, [(end, "reset")])
    assert finals(said) == []
    assert [(t.text, t.is_final) for _, t in said[-2:]] == [("", False)] * 2
    assert [t.item for _, t in said[-2:]] == [t.item for _, t in said[:2]]


def test_what_was_reset_does_not_weigh_on_what_follows(loaded):
    table = np.concatenate([silence(3), heard("i want"), heard("you can see the sea"), silence(12)])
    after = (3 + len(heard("i want"))) * 80 - 1
    assert finals(run(start(loaded), table, [(after, "reset")])) == [
        "you",
        "can",
        "see",
        "the",
        "sea",
    ]


def test_nothing_asked_in_silence_is_answered(loaded):
    asked = [(100, "finalize"), (200, "reset"), (300, "wrong"), (400, "wrong so")]
    assert run(start(loaded), silence(10), asked) == []


def test_a_correction_is_kept_with_what_was_said(loaded):
    table = spoken("i want water", "i can see the sea")
    run_ = start(loaded)
    run(run_, table, [(len(table) * 80 - 1, "wrong i can see")])
    first, last = run_.utterances
    assert (first.text, first.is_wrong) == ("i want water", False)
    assert (last.text, last.is_wrong, last.correction) == (
        "i can see the sea",
        True,
        "i can see",
    )
    assert first.confidence > 0.5
    assert first.last < last.first


def test_without_the_right_words_the_likeliest_alternative_is_taken(loaded):
    table = spoken("you can see the sea")
    run_ = start(loaded)
    run(run_, table, [(len(table) * 80 - 1, "wrong")])
    assert run_.utterances[0].correction == "you can see the see"


def test_a_word_can_be_added_with_its_phonemes(loaded):
    said = {**tiny.SAID, "zorb": "Z AO R B"}
    table = np.concatenate([silence(3), heard("i want zorb", said=said), silence(12)])
    assert "zorb" not in finals(run(start(loaded), table))
    assert finals(run(start(loaded), table, [(100, "word Zorb Z AO R B")])) == ["i", "want", "Zorb"]
    assert "Zorb" not in finals(run(start(loaded), table))


def test_added_words_outlast_a_gap_and_items_count_on(loaded):
    said = {**tiny.SAID, "zorb": "Z AO R B"}
    table = np.concatenate([silence(3), heard("i want zorb", said=said), silence(12)])
    before = start(loaded)
    first = run(before, table, [(100, "word Zorb Z AO R B")])
    other = start(loaded)
    run(other, table)  # another run of the same language does not have it, and does no harm
    second = run(before.again(), table)
    assert finals(second) == ["i", "want", "Zorb"]
    assert min(t.item for _, t in second) > max(t.item for _, t in first)


def test_of_more_new_words_than_places_the_newest_are_known(loaded):
    said = {**tiny.SAID, "zorb": "Z AO R B", "fip": "F IH P", "gub": "G AH B"}
    table = np.concatenate([silence(9), heard("zorb fip gub", said=said), silence(12)])
    words = [(100, "word zorb Z AO R B"), (200, "word fip F IH P"), (300, "word gub G AH B")]
    assert finals(run(start(loaded), table, words))[-2:] == ["fip", "gub"]


def test_runs_side_by_side_do_not_disturb_each_other(loaded):
    said = {**tiny.SAID, "zorb": "Z AO R B"}
    table = np.concatenate([silence(3), heard("i want zorb", said=said), silence(12)])
    with_word, without = start(loaded), start(loaded)
    run(with_word, silence(3), [(100, "word Zorb Z AO R B")])
    found = ([], [])
    for i, row in enumerate(table):
        outputs = (Prediction(CLASSES, tuple(row.tolist())),)
        for tokens, each in zip(found, (with_word, without), strict=True):
            tokens += each(outputs, Moment(1000 + i * 80, 0.0))[1:]
    assert [t.text for t in found[0] if t.is_final] == ["i", "want", "Zorb"]
    assert [t.text for t in found[1]] == [t.text for _, t in run(start(loaded), table)]


def test_names_of_the_session_are_known_from_the_start(folder):
    said = {**tiny.SAID, "zorb": "Z AO R B"}
    table = np.concatenate([silence(3), heard("i want zorb", said=said), silence(12)])
    loaded = Language(folder, words=("Zorb Z AO R B",), boost=3).load()
    assert finals(run(start(loaded), table)) == ["i", "want", "Zorb"]


def test_only_some_words(folder):
    table = spoken("i want", "know")
    few = Language(folder, only=("want", "no")).load()
    assert finals(run(start(few), table)) == ["want", "no"]


def test_a_command_is_one_word(folder):
    table = spoken("no", "i want", "water")
    commands = Language(folder, mode="words", only=("no", "water", "halt HH AO L T")).load()
    said = run(start(commands), table)
    assert finals(said) == ["no", "water"]
    assert all(t.segment_final for _, t in said if t.is_final)


def test_phonemes_as_they_are():
    said = run(start(Language(mode="phonemes").load()), spoken("i can"))
    assert finals(said) == ["AY", "|", "K", "AE", "N", "|"]
    assert [t.segment_final for _, t in said if t.is_final] == [False] * 5 + [True]
    assert {t.unit for _, t in said} == {"phoneme"}
    samples = [sample for sample, t in said if not t.is_final]
    assert samples == [t.last for _, t in said if not t.is_final]


def test_letters_by_name_and_by_radio_alphabet():
    said = {
        "bravo": "B R AA V OW",
        "see": "S IY",
        "space": "S P EY S",
        "delete": "D IH L IY T",
    }
    table = [silence(3), heard("bravo see space delete", said=said), silence(12)]
    tokens = run(start(Language(mode="spelling").load()), np.concatenate(table))
    assert finals(tokens) == ["b", "c", " ", "\b"]
    assert {t.unit for _, t in tokens} == {"character"}


def test_the_same_again_gives_the_same(loaded):
    rng = np.random.default_rng(0)
    table = np.concatenate([spoken("you can see the sea"), rng.dirichlet(np.ones(41), 50)])
    assert run(start(loaded), table) == run(start(loaded), table)


def test_endless_speech_ends_by_itself_and_is_told_on_the_way(folder):
    language = Language(folder, beam=3, longest_s=12.0)
    sentence = "you can see the sea "
    table = np.concatenate([silence(3), heard(sentence * 10), silence(12)])
    said = run(start(language.load()), table)
    assert edits(finals(said), (sentence * 10).split()).rate < 0.1  # of words that an end cuts
    ends = [sample for sample, t in said if t.segment_final]
    assert np.diff([3 * 80, *ends]).max() <= 12_000
    early = [sample for sample, t in said if t.is_final and sample < ends[0]]
    assert early, "words that all readings share are final before the end"
    items = [t.item for _, t in said if t.is_final]
    assert items == sorted(set(items))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"folder": ""}, "needs a folder"),
        ({"beam": 0}, "beam"),
        ({"confidence": 1.0}, "confidence"),
        ({"pause_s": 40.0}, "pause_s"),
        ({"guess": 0.2}, "guess"),
    ],
)
def test_what_cannot_be_is_refused(keys, problem):
    with pytest.raises(ValueError, match=problem):
        Language(**{"folder": "somewhere", **keys})


def test_a_folder_is_checked_whole(tmp_path):
    with pytest.raises(ArtifactError, match="bci language"):
        Language(str(tmp_path / "none")).load()
    folder = tiny.make(tmp_path / "tiny")
    with pytest.raises(ArtifactError, match="boost 0 to 3, not 7"):
        Language(folder, boost=7).load()
    with pytest.raises(ArtifactError, match="places for 2 new words; words lists 3"):
        Language(folder, words=("a EY", "b B IY", "c S IY")).load()
    lexicon = tmp_path / "tiny" / "lexicon.txt"
    lexicon.write_text(lexicon.read_text() + "x\tEH K S\n")
    with pytest.raises(ArtifactError, match="not the file"):
        Language(folder).load()
    lexicon.unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        Language(folder).load()


def test_an_utterance_whose_last_words_are_withheld_still_ends(folder):
    language = Language(folder, beam=3, confidence=0.6)
    table = np.concatenate(
        [silence(3), heard("you can see the sea " * 6), heard("i want water i want", 0.3)]
    )
    said = run(start(language.load()), np.concatenate([table, silence(12)]))
    last = [t for _, t in said if t.is_final][-1]
    assert (last.text, last.segment_final) == ("", True)
    assert [t.segment_final for _, t in said].count(True) == 1


def test_any_change_of_a_language_changes_its_hash_but_not_where_it_lies(folder, loaded):
    moved = Path(folder).with_name("moved")
    shutil.copytree(folder, moved)
    assert Language(str(moved)).load().hash == loaded.hash
    for keys in ({"beam": 20}, {"words": ("kalina K AH L",)}, {"only": ("no",)}):
        assert Language(str(folder), **keys).load().hash != loaded.hash
    (moved / "lexicon.txt").write_text("no\tN OW\n")
    write_manifest(moved, order=2, n_words=1, new_words=(2, 2, 2, 2), about={})
    assert Language(str(moved)).load().hash != loaded.hash


def test_whether_a_word_can_be_added_is_known_before(loaded):
    assert loaded.problem_with_word("kalina K AH L IY N AH") == ""
    assert "no phoneme" in loaded.problem_with_word("kalina K AH0")
    assert "takes no new words" in Language(mode="phonemes").load().problem_with_word("no N OW")


@pytest.mark.parametrize("keys", [{"words": ("kalina K AH0",)}, {"only": ("kalina K AH0",)}])
def test_a_word_of_the_session_that_cannot_be_said_is_refused_with_its_name(folder, keys):
    with pytest.raises(ArtifactError, match="AH0: no phoneme"):
        Language(str(folder), **keys).load()
