"""The same search by finite-state transducers, with kaldi-decoder: topology, lexicon, grammar.

Mohri, Pereira & Riley (Computer Speech & Language 16, 2002); Miao, Gowayyed & Metze (ASRU 2015).
The lexicon, the n-gram model and the weights are those of the language it is compared with.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kaldi_decoder
import kaldifst
import kaldilm
import numpy as np
from numpy.typing import NDArray

from decoders.speech.folder import LanguageFolder
from devices.speech.phonemes import BOUNDARY, CLASSES

__all__ = ["Kaldi"]

_BOUNDARY = CLASSES.index(BOUNDARY)
_FIRST_MARK = len(CLASSES)  # labels of the lexicon's input from here on only tell words apart
_BACKOFF = "#0"


class Kaldi:
    """A decoder of whole utterances.

    Parameters
    ----------
    folder
        The language.
    weight, word_score
        As in `decoders.speech.search.Weighing`.
    threshold
        How far below the best readings may be.
    """

    def __init__(
        self, folder: LanguageFolder, weight: float, word_score: float, threshold: float
    ) -> None:
        self._weight = weight
        words = list(dict.fromkeys(lexeme.word for lexeme in folder.lexemes()))
        grammar, symbols = _grammar(folder.arpa, words)
        lexicon = _lexicon(folder, symbols, word_score / weight)
        kaldifst.arcsort(lexicon, sort_type="olabel")
        both = kaldifst.compose(lexicon, grammar)
        if kaldifst.determinize_star(both):
            raise SystemExit("the lexicon and the grammar could not be determinized")
        kaldifst.minimize_encoded(both)
        _without_marks(both)
        kaldifst.arcsort(both, sort_type="ilabel")
        self._graph = kaldifst.compose(_topology(), both)
        self.n_states = self._graph.num_states
        self._names = {number: word for word, number in symbols.items()}
        self._threshold = threshold / weight

    def decode(self, beam: int, probabilities: NDArray[np.float64]) -> list[str]:
        """Return the words of an utterance, (n_steps, n_classes), following `beam` states."""
        options = kaldi_decoder.FasterDecoderOptions(
            beam=self._threshold, max_active=beam, min_active=min(20, beam - 1)
        )
        scaled = (np.log(np.maximum(probabilities, 1e-8)) / self._weight).astype(np.float32)
        decoder = kaldi_decoder.FasterDecoder(self._graph, options)
        decoder.decode(kaldi_decoder.DecodableCtc(scaled))
        ok, path = decoder.get_best_path()
        if not ok:
            return []
        _, _, labels, _ = kaldifst.get_linear_symbol_sequence(path)
        return [self._names[label] for label in labels]


def _grammar(arpa: Path, words: Sequence[str]) -> tuple[Any, dict[str, int]]:
    symbols = {
        word: i for i, word in enumerate(["<eps>", *words, "<unk>", _BACKOFF, "<s>", "</s>"])
    }
    with tempfile.TemporaryDirectory() as folder:
        table, plain = Path(folder) / "words.txt", Path(folder) / "plain.arpa"
        table.write_text("".join(f"{word} {i}\n" for word, i in symbols.items()))
        lines = arpa.read_text(encoding="utf-8").splitlines(keepends=True)
        new = sum("\t<new:" in line for line in lines)
        kept = [line for line in lines if "\t<new:" not in line]
        n = int(kept[1].partition("=")[2])
        kept[1] = f"ngram 1={n - new}\n"
        plain.write_text("".join(kept), encoding="utf-8")
        text = kaldilm.arpa2fst(
            input_arpa=str(plain), disambig_symbol=_BACKOFF, read_symbol_table=str(table)
        )
    return _compiled(text), symbols


def _lexicon(folder: LanguageFolder, symbols: dict[str, int], word_score: float) -> Any:
    """Return words as paths of phonemes from and to state 0, told apart by marks at their ends."""
    lines, alike, state = [], {}, 1
    for lexeme in folder.lexemes():
        mark = alike[lexeme.phonemes] = alike.get(lexeme.phonemes, 0) + 1
        labels = [*lexeme.phonemes, _BOUNDARY, _FIRST_MARK + mark]
        at = 0
        for i, label in enumerate(labels):
            is_last = i == len(labels) - 1
            after = 0 if is_last else state
            word = symbols[lexeme.word] if i == 0 else 0
            cost = -word_score if i == 0 else 0.0
            lines.append(f"{at} {after} {label} {word} {cost}")
            at, state = after, state + (not is_last)
    lines.append(f"0 0 {_BOUNDARY} 0 0.0")
    lines.append(f"0 0 {_FIRST_MARK} {symbols[_BACKOFF]} 0.0")
    return _compiled("\n".join([*lines, "0 0.0"]))


def _without_marks(graph: Any) -> None:
    for state in kaldifst.StateIterator(graph):
        arcs = kaldifst.ArcIterator(graph, state)
        changed = [(a.ilabel, a.olabel, a.weight, a.nextstate) for a in arcs]
        if any(arc[0] >= _FIRST_MARK for arc in changed):
            graph.delete_arcs(state, len(changed))
            for label, word, weight, after in changed:
                arc = kaldifst.StdArc(label if label < _FIRST_MARK else 0, word, weight, after)
                graph.add_arc(state, arc)


def _topology() -> Any:
    """Return what paths say: inputs are classes counted from 1, outputs the lexicon's labels."""
    lines = ["0 0 1 0 0.0"]
    for one in range(1, len(CLASSES)):
        lines += [f"0 {one} {one + 1} {one} 0.0", f"{one} {one} {one + 1} 0 0.0"]
        lines.append(f"{one} 0 1 0 0.0")
        lines += [
            f"{one} {other} {other + 1} {other} 0.0"
            for other in range(1, len(CLASSES))
            if other != one
        ]
    topology = _compiled("\n".join([*lines, *(f"{s} 0.0" for s in range(len(CLASSES)))]))
    kaldifst.arcsort(topology, sort_type="olabel")
    return topology


def _compiled(text: str) -> Any:
    return kaldifst.compile(text, acceptor=False)
