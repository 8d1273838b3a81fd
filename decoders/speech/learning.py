"""From recordings of cued sentences to what a decoder of speech is fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.gathering import Gathered
from decoders.speech.sentences import Sentence, Sentences
from decoders.stage import Mismatch
from devices.speech.phonemes import CLASSES, phoneme_ids

__all__ = ["spoken_training"]

_SILENCE_S = 10.0


def spoken_training(
    gathered: Sequence[Gathered], sentences: Sentences | None, sessions: Sequence[int] = ()
) -> Training:
    """Return the rows of all sentences, each with up to 10 s of the silence before it.

    Parameters
    ----------
    gathered
        The recordings.
    sentences
        Which markers begin and end a sentence.
    sessions
        Of each recording, which session it is of; none: all are of one.

    Raises
    ------
    Mismatch
        There is no sentence, a word cannot be pronounced, or blocks hold more than a row.
    """
    if sentences is None:
        raise Mismatch("a decoder of speech learns from cued sentences; the session has none")
    parts: list[_Part] = []
    for number, one in enumerate(gathered):
        _check_rows(one)
        session = sessions[number] if sessions else 0
        parts += _parts(one, number, session, sentences, parts[-1].run if parts else 0)
    if not parts:
        raise Mismatch(_nothing_said(gathered, sentences))
    lengths = [len(part.rows) for part in parts]
    return Training(
        signal=gathered[0].features,
        features=np.concatenate([gathered[part.recording].rows[part.rows] for part in parts]),
        targets=np.repeat([part.run for part in parts], lengths),
        groups=np.repeat(np.arange(len(parts)), lengths),
        labels=CLASSES,
        ages=np.concatenate([part.ages for part in parts]),
        sessions=np.repeat([part.session for part in parts], lengths) if sessions else None,
        spoken=np.array(
            [(group, name) for group, part in enumerate(parts) for name in part.phonemes], np.int64
        ),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence's rows in its recording; parts of one run follow each other without a gap."""

    recording: int
    session: int
    run: int
    rows: NDArray[np.int64]
    ages: NDArray[np.int64]
    phonemes: tuple[int, ...]


def _parts(
    gathered: Gathered, recording: int, session: int, sentences: Sentences, run: int
) -> Iterator[_Part]:
    rate_hz, block = gathered.picked.rate_hz, _block(gathered)
    for stretch in np.unique(gathered.stretches):
        inside = gathered.stretches == stretch
        cued = zip(gathered.events, gathered.event_stretches, strict=True)
        ended = -1
        run += 1
        for said in sentences.of((event for event, of in cued if of == stretch), rate_hz):
            begun = max(ended, said.first - 1 - round(_SILENCE_S * rate_hz))
            if begun > ended:
                run += 1
            rows = np.flatnonzero(
                inside & (gathered.samples > begun) & (gathered.samples <= said.last)
            )
            ended = said.last
            ages = gathered.samples[rows] - said.first
            # What began while the steps filled lacks its beginning.
            if len(rows) and ages[0] <= block:
                yield _Part(recording, session, run, rows, ages, _phonemes(said))


def _phonemes(said: Sentence) -> tuple[int, ...]:
    # The dictionary is read only where there is something to learn.
    from devices.speech.pronunciation import phonemes_of

    try:
        return phoneme_ids(phonemes_of(said.text))
    except (ValueError, ModuleNotFoundError) as e:
        raise Mismatch(f"the sentence {said.text!r} cannot be learned from: {e}") from e


def _check_rows(gathered: Gathered) -> None:
    """Refuse blocks of several rows: of each, only the last would be learned from."""
    block_s = _block(gathered) / gathered.picked.rate_hz
    rows = round(block_s * gathered.features.rate_hz)
    if rows > 1:
        raise Mismatch(
            f"a decoder of speech learns from every row, and a block of {block_s:g} s holds {rows} "
            f"rows at {gathered.features.rate_hz:g} Hz; set [blocks] hop_s = "
            f"{1 / gathered.features.rate_hz:g}"
        )


def _block(gathered: Gathered) -> int:
    """Return how many samples a block has; 0 where there are not two to tell."""
    apart = np.diff(gathered.samples)
    return int(apart.min()) if len(apart) else 0


def _nothing_said(gathered: Sequence[Gathered], sentences: Sentences) -> str:
    there = Counter(label.split(":")[0] for g in gathered for label in g.markers)
    listed = ", ".join(f"{n} × {label}" for label, n in there.items()) or "none"
    return (
        f"no sentence found: [sentences] waits for a marker that begins with {sentences.begin!r} "
        f"and for {sentences.end!r} within {sentences.longest_s:g} s; the recordings have {listed}"
    )
