"""Language decoding by itself: errors, steadiness, time, and kaldi-decoder side by side.

::

    python examples/speech/corpus.py corpus
    bci language corpus/language.txt -o corpus/english --exclude corpus/test.txt
    python benchmarks/speech_language.py corpus

The probabilities are those of a simulated channel (`speech_channel`), or of a network, with
``--logits FILE.npz``: ``probabilities`` (n_steps, 41) of all sentences in a row, ``lengths`` in
steps, and ``texts``. Keys of ``[language]`` are tried with ``--key language_weight=0.6``; tune them
on ``--sentences train.txt`` only. ``--network``, of a language made with ``--neural``, compares the
perplexities and says how long rescoring takes. ``--kaldi`` needs ``pip install kaldi-decoder
kaldifst kaldilm``.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from line import ROOT
from numpy.typing import NDArray
from speech_channel import Channel
from speech_said import (
    BOUND,
    NOISE,
    SEED,
    STEP,
    Said,
    Spoken,
    key,
    of_network,
    speak,
    through_channel,
)

from decoders.speech.building import build, english
from decoders.speech.ctc import Edits, edits, greedy
from decoders.speech.folder import NEXT_WORD, LanguageFolder
from decoders.speech.kneser_ney import END
from decoders.speech.language import Language, Loaded
from decoders.speech.next_word import NextWord
from decoders.speech.rescoring import Rescoring
from decoders.speech.search import LN_10, Readings, Search, Weighing
from devices.speech.phonemes import CLASSES, phoneme_ids
from devices.speech.pronunciation import phonemes_of

assert ROOT  # found first, so that the packages of this tree are


def greedy_words(heard: NDArray[np.float64], names: dict[tuple[int, ...], str]) -> list[str]:
    """Return the words that the likeliest phonemes spell exactly; others stay as phonemes."""
    words, sound = [], []
    for number in (*greedy(heard), BOUND):
        if number != BOUND:
            sound.append(number)
        elif sound:
            words.append(names.get(tuple(sound), "?"))
            sound = []
    return words


def sounds(folder: LanguageFolder) -> dict[tuple[int, ...], str]:
    """Return the likeliest word of each sound."""
    unigrams = {}
    with folder.arpa.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("\\2-grams"):
                break
            parts = line.split("\t")
            if len(parts) > 1:
                unigrams[parts[1].strip()] = float(parts[0])
    named: dict[tuple[int, ...], str] = {}
    for lexeme in folder.lexemes():
        other = named.get(lexeme.phonemes)
        if other is None or unigrams.get(other, -99) < unigrams.get(lexeme.word, -99):
            named[lexeme.phonemes] = lexeme.word
    return named


def errors(spoken: list[Spoken], said: list[Said], folder: LanguageFolder) -> dict[str, Any]:
    """Return how many words and phonemes are wrong, with the language and without."""
    names = sounds(folder)
    words = phonemes = plain = Edits()
    for each, found in zip(spoken, said, strict=True):
        words += edits(found.words, each.words)
        plain += edits(greedy_words(each.heard, names), each.words)
        phonemes += edits(greedy(each.heard), phoneme_ids(phonemes_of(" ".join(each.words))))
    return {
        "sentences": len(spoken),
        "words": words.length,
        "phoneme_error_rate": phonemes.rate,
        "greedy_word_error_rate": plain.rate,
        "word_error_rate": words.rate,
        "of_greedy": words.rate / plain.rate,
        "ci95": interval(spoken, said),
        "substitutions": words.substitutions,
        "insertions": words.insertions,
        "deletions": words.deletions,
    }


def interval(spoken: list[Spoken], said: list[Said]) -> list[float]:
    """Return the percentiles of a bootstrap over sentences of the word error rate."""
    counts = [edits(b.words, a.words) for a, b in zip(spoken, said, strict=True)]
    wrong, lengths = np.array([(c.errors, c.length) for c in counts]).T
    drawn = np.random.default_rng(0).integers(len(counts), size=(2000, len(counts)))
    rates = wrong[drawn].sum(axis=1) / lengths[drawn].sum(axis=1)
    return np.percentile(rates, [2.5, 97.5]).round(4).tolist()


def steadiness(spoken: list[Spoken], said: list[Said]) -> dict[str, Any]:
    """Return how often shown words are taken back, and how late they and finals come, in ms.

    A word that is right is late by the time from its last phoneme and boundary, the step that
    decides it, to the first token that shows it.
    """
    n_words = taken_back = 0
    late, late_final = [], []
    for each, found in zip(spoken, said, strict=True):
        shown: dict[int, str] = {}
        first: dict[tuple[int, str], int] = {}
        for step, token in found.tokens:
            before = shown.get(token.item, "")
            taken_back += bool(before and before != token.text)
            shown[token.item] = token.text
            first.setdefault((token.item, token.text), step)
        finals = [(step, t) for step, t in found.tokens if t.is_final and t.text]
        n_words += len(each.words)
        if [t.text for _, t in finals] == each.words and len(each.ends) == len(finals):
            for end, (step, token) in zip(each.ends, finals, strict=True):
                late.append(first[token.item, token.text] - end)
                late_final.append(step - end)
    return {
        "taken_back_per_word": taken_back / n_words,
        "interim_late_ms": spread(np.array(late) * STEP),
        "interim_within_300_ms": float(np.mean(np.array(late) * STEP <= 300)),
        "final_late_ms": spread(np.array(late_final) * STEP),
    }


def ends_ms(said: list[Said]) -> dict[str, float]:
    """Return the processor time of the steps that end an utterance, in ms."""
    took = [each.cpu_s[step] for each in said for step, token in each.tokens if token.segment_final]
    return spread(1e3 * np.array(took))


def perplexities(loaded: Loaded, network: NextWord, texts: list[str]) -> dict[str, Any]:
    """Return the perplexity of sentences and their ends: n-gram model, network, and mixtures.

    Words that the lexicon lacks are left out of all; the network's is without those, too, that only
    the n-gram model knows.
    """
    lexicon = loaded.lexicon
    numbers = {lexicon.word(i): i for i in range(len(lexicon))}
    counted: list[float] = []
    likely: list[float] = []  # minus infinity: not known
    for text in texts:
        state, hidden = lexicon.model.start(False), network.start
        for word in (*text.split(), END):
            number = np.array([network.numbers.get(word, 0)])
            if word == END:
                score = lexicon.model.finish(state)[1]
            elif word in numbers:
                state, score = lexicon.model.score(state, numbers[word])
            else:
                continue
            known = float(network.log_likely(hidden, number)[0]) if number[0] else -math.inf
            hidden = network.after(hidden, number)
            counted.append(LN_10 * score)
            likely.append(known)
    grams, net = np.array(counted), np.array(likely)
    known = np.isfinite(net)

    def mixed(share: float) -> float:
        both = grams.copy()
        both[known] = np.logaddexp(math.log1p(-share) + grams, math.log(share) + net)[known]
        return round(math.exp(-both.mean()), 2)

    return {
        "words_and_ends": len(grams),
        "known_to_the_network": int(known.sum()),
        "n_gram": round(math.exp(-grams.mean()), 2),
        "n_gram_where_the_network_knows": round(math.exp(-grams[known].mean()), 2),
        "network": round(math.exp(-net[known].mean()), 2),
        "mixtures": {share: mixed(share) for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)},
    }


def longest_rescoring(loaded: Loaded, network: NextWord) -> dict[str, float]:
    """Return the processor time, in ms, of rescoring as much as there ever is to rescore."""
    rescoring = Rescoring(loaded.lexicon, network, 0.5, loaded.language.language_weight)
    random = np.random.default_rng(SEED)
    took = []
    for _ in range(100):
        words = random.integers(len(loaded.lexicon), size=(100, 12)).astype(np.int32)
        places = np.zeros(words.shape, np.int64)
        before = random.integers(len(loaded.lexicon), size=60).tolist()
        began = time.thread_time()
        rescoring(Readings(-np.arange(100.0), words, places, places, places.astype(float)), before)
        took.append(time.thread_time() - began)
    return spread(1e3 * np.array(took))


def spread(values: NDArray[np.floating]) -> dict[str, float]:
    """Return percentiles."""
    return {f"p{q}": round(float(np.percentile(values, q)), 3) for q in (50, 90, 99, 100)}


def same_as_whole(spoken: list[Spoken], loaded: Loaded) -> dict[str, Any]:
    """Return for how many sentences the final words are those of the whole sentence at once.

    None is withheld; and the whole is not cut into utterances, so that a pause may part it.
    """
    everything = Loaded(replace(loaded.language, confidence=0.0), loaded.lexicon)
    language, lexicon = loaded.language, loaded.lexicon
    weighing = Weighing(
        language.beam, language.language_weight, language.word_score, language.blank_penalty
    )
    same = 0
    for each in spoken:
        search = Search(lexicon, weighing, len(each.heard) + 1)
        for row in each.heard:
            search.step(row)
        same += [lexicon.word(w) for w in search.end().texts(1)[0]] == _words(
            everything, each.heard
        )
    return {"same": same, "of": len(spoken)}


def nothing_said(loaded: Loaded, noise: float) -> dict[str, Any]:
    """Return how many words are told of ten minutes of silence, and of three kinds of noise."""
    random = np.random.default_rng(SEED)
    n = 7500

    def told(heard: NDArray[np.float64]) -> dict[str, int]:
        tokens = speak(loaded, heard).tokens
        final = [t for _, t in tokens if t.is_final and t.text]
        return {"final": len(final), "interim": sum(not t.is_final for _, t in tokens)}

    flat = random.dirichlet(np.full(len(CLASSES), 0.5), n // 5)
    sharp = np.exp(random.normal(0, 3.0, (n // 5, len(CLASSES))))
    sharp /= sharp.sum(axis=1, keepdims=True)
    rare = np.exp(random.normal(0, 3.0, (n, len(CLASSES))))
    rare[:, 0] *= np.exp(9.0)
    rare /= rare.sum(axis=1, keepdims=True)
    return {
        "silence_10_min": told(Channel(noise, SEED).silence(n)),
        "flat_noise_2_min": told(flat),
        "sure_noise_2_min": told(sharp),
        "silence_with_false_phonemes_10_min": told(rare),
    }


def against_kaldi(corpus: Path, language: Language, noise: float, n: int) -> dict[str, Any]:
    """Return both word error rates at several beams, of a language small enough for kaldi's."""
    from kaldi_graph import Kaldi

    held = (corpus / "test.txt").read_text().splitlines()[:n]
    counted = Counter((corpus / "language.txt").read_text().split())
    said = english()
    frequent = {word for word, _ in counted.most_common(5000)} | set(" ".join(held).split())
    spoken = list(through_channel(held, noise))
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        lines = (corpus / "language.txt").read_text().splitlines()[:60000]
        text = Path(folder) / "text.txt"
        text.write_text("\n".join(line for line in lines if frequent.issuperset(line.split())))
        words = {word: said[word] for word in sorted(frequent & said.keys())}
        small = build([text], Path(folder) / "small", dictionary=words)
        found["words"], found["n_grams"] = len(words), list(small.n_grams)
        weights = (language.language_weight, language.word_score)
        begin = time.perf_counter()
        kaldi = Kaldi(small.language, *weights, 25.0)
        found["kaldi_graph_s"] = time.perf_counter() - begin
        found["kaldi_states"] = kaldi.n_states
        for beam in (20, 50, 100):
            ours = replace(language, folder=str(small.language.folder), beam=beam, confidence=0.0)
            loaded = ours.load()
            wrong, ms = _scored(partial(_words, loaded), spoken)
            kaldi_wrong, kaldi_ms = _scored(partial(kaldi.decode, beam), spoken)
            found[f"beam_{beam}"] = {
                "word_error_rate": wrong.rate,
                "kaldi_word_error_rate": kaldi_wrong.rate,
                "cpu_ms_a_step": ms,
                "kaldi_cpu_ms_a_step": kaldi_ms,
            }
    return found


def _words(loaded: Loaded, heard: NDArray[np.float64]) -> list[str]:
    return speak(loaded, heard).words


def _scored(
    decode: Callable[[NDArray[np.float64]], list[str]], spoken: list[Spoken]
) -> tuple[Edits, float]:
    """Return the errors of a decoder, and its processor time for a step in ms."""
    total, begin = Edits(), time.process_time()
    for each in spoken:
        total += edits(decode(each.heard), each.words)
    return total, 1e3 * (time.process_time() - begin) / sum(len(each.heard) for each in spoken)


def main() -> None:
    """Print what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--language", type=Path, help="its folder; else CORPUS/english")
    parser.add_argument("--sentences", default="test.txt")
    parser.add_argument("--logits", type=Path)
    parser.add_argument("--noise", type=float, default=NOISE)
    parser.add_argument("--most", type=int, default=400)
    parser.add_argument("--key", type=key, action="append", default=[])
    parser.add_argument("--cadence", action="store_true", help="one step every 80 ms, 2 minutes")
    parser.add_argument("--kaldi", action="store_true")
    parser.add_argument("--network", action="store_true", help="perplexity and time of rescoring")
    parser.add_argument("--quiet", action="store_true", help="silence and noise, too")
    args = parser.parse_args()
    folder = args.language or args.corpus / "english"
    language = Language(str(folder), **dict(args.key))
    begin = time.perf_counter()
    loaded = language.load()
    found: dict[str, Any] = {"load_s": time.perf_counter() - begin}
    found["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    texts = (args.corpus / args.sentences).read_text().splitlines()[: args.most]
    spoken = list(of_network(args.logits) if args.logits else through_channel(texts, args.noise))
    said = [speak(loaded, each.heard) for each in spoken]
    took = np.array([t for each in said for t in each.took_s])
    found["errors"] = errors(spoken, said, LanguageFolder.read(folder))
    found["steadiness"] = steadiness(spoken, said)
    found["streaming_is_whole"] = same_as_whole(spoken, loaded)
    found["step_ms"] = spread(1e3 * took)
    found["step_cpu_ms"] = spread(1e3 * np.array([t for each in said for t in each.cpu_s]))
    found["end_cpu_ms"] = ends_ms(said)
    if args.network:
        network = NextWord.read(folder / NEXT_WORD)
        found["perplexity"] = perplexities(loaded, network, texts)
        found["longest_rescoring_cpu_ms"] = longest_rescoring(loaded, network)
    if args.cadence:
        few = spoken[: math.ceil(1500 / np.mean([len(each.heard) for each in spoken]))]
        slow = [speak(loaded, each.heard, STEP / 1e3) for each in few]
        found["step_ms_every_80_ms"] = spread(1e3 * np.array([t for s in slow for t in s.took_s]))
        cpu = np.array([t for s in slow for t in s.cpu_s])
        found["step_cpu_ms_every_80_ms"] = spread(1e3 * cpu)
    if args.quiet:
        found["nothing_said"] = nothing_said(loaded, args.noise)
    found["memory_after_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if args.kaldi:
        found["kaldi"] = against_kaldi(args.corpus, language, args.noise, args.most)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
