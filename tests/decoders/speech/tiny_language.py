"""A language of a dozen words, and a network that is as sure as it is told to be."""

import json

import numpy as np

from decoders.decoder import Event, Moment
from decoders.output import Prediction, Token
from decoders.speech.folder import write_lexicon, write_manifest
from devices.speech.phonemes import BOUNDARY, CLASSES, phoneme_ids

RATE_HZ, HOP, STEP = 1000.0, 20, 80
SAID = {
    "i": "AY",
    "eye": "AY",
    "want": "W AA N T",
    "water": "W AO T ER",
    "can": "K AE N",
    "candy": "K AE N D IY",
    "you": "Y UW",
    "see": "S IY",
    "sea": "S IY",
    "the": "DH AH",
    "no": "N OW",
    "know": "N OW",
}
_ARPA = """\\data\\
ngram 1=23
ngram 2=14

\\1-grams:
-6\t<unk>
-99\t<s>\t-0.3
-1.2\t</s>
-1.1\ti\t-0.3
-3.0\teye\t-0.3
-1.5\twant\t-0.3
-1.9\twater\t-0.3
-1.4\tcan\t-0.3
-2.4\tcandy\t-0.3
-1.3\tyou\t-0.3
-1.6\tsee\t-0.3
-2.6\tsea\t-0.3
-1.0\tthe\t-0.3
-1.7\tno\t-0.3
-2.1\tknow\t-0.3
-5\t<new:0:0>\t0
-5\t<new:0:1>\t0
-4\t<new:1:0>\t0
-4\t<new:1:1>\t0
-3\t<new:2:0>\t0
-3\t<new:2:1>\t0
-2\t<new:3:0>\t0
-2\t<new:3:1>\t0

\\2-grams:
-0.4\t<s> i
-0.6\t<s> you
-0.5\ti want
-0.6\ti can
-0.9\ti see
-0.7\ti know
-0.5\twant water
-0.8\twant candy
-0.6\tcan see
-0.7\tyou can
-0.4\tthe sea
-0.9\tsee the
-0.5\twater </s>
-0.5\tsea </s>

\\end\\
"""


def make(folder):
    """Write the language into a new folder, and return its path."""
    folder.mkdir()
    write_lexicon(folder / "lexicon.txt", ((w, p.split()) for w, p in SAID.items()))
    (folder / "ngram.arpa").write_text(_ARPA)
    write_manifest(folder, order=2, n_words=len(SAID), new_words=(2, 2, 2, 2), about={})
    return str(folder)


def heard(text, sure=0.9, *, said=SAID):
    """Return the classes and their probabilities by step: each phoneme, a blank, and so on."""
    classes = []
    for word in text.split():
        for number in phoneme_ids((*said[word].split(), BOUNDARY)):
            classes += [number, 0]
    return rows(classes, sure)


def silence(steps, sure=0.99):
    return rows([0] * steps, sure)


def rows(classes, sure=0.9):
    """Return probabilities by step; no two are quite the same, as no network's are."""
    table = 1 + 1e-3 * np.random.default_rng(len(classes)).random((len(classes), len(CLASSES)))
    table[np.arange(len(classes)), classes] = 0.0
    table *= (1 - sure) / table.sum(axis=1, keepdims=True)
    table[np.arange(len(classes)), classes] = sure
    return table


def run(speaking, table, events=(), begin=0):
    """Feed blocks, every fourth with a prediction; return (sample, token) of all tokens."""
    said = []
    for block in range(len(table) * STEP // HOP):
        sample = begin + (block + 1) * HOP - 1
        outputs = ()
        if (block + 1) % (STEP // HOP) == 0:
            outputs = (Prediction(CLASSES, tuple(table[block // 4].tolist())),)
        now = tuple(
            Event(s, label, "client", "speech") for s, label in events if sample - HOP < s <= sample
        )
        said += [
            (sample, o)
            for o in speaking(outputs, Moment(sample, sample / RATE_HZ, now))
            if isinstance(o, Token)
        ]
    return said


def finals(said):
    return [t.text for _, t in said if t.is_final]


def read_manifest(folder):
    with open(f"{folder}/manifest.json") as file:
        return json.load(file)
