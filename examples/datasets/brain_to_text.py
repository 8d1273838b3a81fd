"""Make recordings of the public Brain-to-Text set: a person's attempts to speak 10,948 sentences.

256 electrodes in speech motor cortex of participant T15, two features each in bins of 20 ms:
threshold crossings and spike-band power (Card et al. 2024, N Engl J Med 391:609; cite it when you
use it). Each session has a folder with ``data_train.hdf5``, ``data_val.hdf5`` and
``data_test.hdf5``; docs/brain-to-text.md says what is in them and how they are read.

One recording a block and part, with the trials of the block in order::

    python examples/datasets/brain_to_text.py hdf5_data_final/ recordings/
    python examples/datasets/brain_to_text.py hdf5_data_final/t15.2023.08.11/ recordings/

Each has the stream ``features`` (``tx-000`` … ``tx-255``, ``sbp-000`` … ``sbp-255``), the markers
``say:SENTENCE`` and ``said``, and ``trial N`` where each trial begins. The test part has no
sentences.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from aligned import Aligned, Stream, apart, write
from numpy.typing import NDArray

RATE_HZ = 50.0
N_ELECTRODES = 256
TAIL_ROWS = 15
"""A session counts 0.3 s after ``said`` to the sentence: these are the trial's own."""

_TRIAL = re.compile(r"trial_\d+")
_SESSION = re.compile(r"(t\d+)\.(\d{4})\.(\d{2})\.(\d{2})")


@dataclass(frozen=True)
class Trial:
    """One sentence.

    Parameters
    ----------
    session, block, number
        Of which day, which block and the how-manieth; as the file says.
    features
        (n, 512) float32.
    sentence
        What was to be said; None: not told.
    """

    session: str
    block: int
    number: int
    features: NDArray[np.float32]
    sentence: str | None


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="brain_to_text", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("source", type=Path, nargs="+", metavar="IN", help="files or folders")
    parser.add_argument("folder", type=Path, metavar="OUT", help="where the recordings go")
    options = parser.parse_args(arguments)
    try:
        for path in files_of(options.source):
            convert(path, options.folder)
    except (OSError, ValueError) as error:
        print(f"brain_to_text: {error}", file=sys.stderr)
        return 1
    return 0


def files_of(sources: Sequence[Path]) -> list[Path]:
    """Return the HDF5 files that are meant, in order.

    Raises
    ------
    ValueError
        There are none.
    """
    found = [
        path
        for source in sources
        for path in (sorted(source.rglob("data_*.hdf5")) if source.is_dir() else [source])
    ]
    if not found:
        raise ValueError(f"no data_train.hdf5 or others of the kind in {sources[0]}")
    return found


def convert(path: Path, folder: Path) -> None:
    """Write one recording for each block of a file."""
    part = path.stem.removeprefix("data_")
    trials = sorted(trials_of(path), key=lambda t: (t.session, t.block, t.number))
    for (session, block), group in itertools.groupby(trials, key=lambda t: (t.session, t.block)):
        recording = folder / f"{named(session)}_task-copy_run-{block:02d}_{part}.xdf"
        recording.parent.mkdir(parents=True, exist_ok=True)
        aligned = together(list(group))
        write(aligned, aligned.rows(0.0, 1.0), recording)
        n = sum(label == "said" for _, label in aligned.marks["sentences"])
        print(f"{recording}: {len(aligned.times) / RATE_HZ:.1f} s, {n} sentences")


def named(session: str) -> str:
    """Return the beginning of a file's name, from which the session can be read again.

    Raises
    ------
    ValueError
        The session has no such name as ``t15.2023.08.11``.
    """
    if not (found := _SESSION.fullmatch(session)):
        raise ValueError(f"session {session!r} is not named as t15.2023.08.11 is")
    participant, *date = found.groups()
    return f"sub-{participant}_ses-{''.join(date)}"


def trials_of(path: Path) -> Iterator[Trial]:
    """Yield the trials of a file, as it has them.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not laid out as this set is; says what is other.
    """
    with h5py.File(path) as file:
        for name, group in file.items():
            if not _TRIAL.fullmatch(name):
                raise ValueError(f"{path} has {name!r} where trial_0000 and others should be")
            try:
                yield trial_of(group)
            except (KeyError, ValueError) as error:
                raise ValueError(f"{path}, {name}: {error}") from error


def trial_of(group: h5py.Group) -> Trial:
    """Read one trial, without what it was padded with."""
    features = group["input_features"][: int(group.attrs["n_time_steps"])]
    if features.ndim != 2 or features.shape[1] != 2 * N_ELECTRODES:
        raise ValueError(
            f"input_features is {features.shape}; it should have {2 * N_ELECTRODES} columns"
        )
    if len(features) <= TAIL_ROWS:
        raise ValueError(f"{len(features)} rows are no sentence")
    return Trial(
        str(group.attrs["session"]),
        int(group.attrs["block_num"]),
        int(group.attrs["trial_num"]),
        features.astype(np.float32),
        sentence_of(group),
    )


def sentence_of(group: h5py.Group) -> str | None:
    """Return what was to be said: the label, else what the character codes spell."""
    if "sentence_label" in group.attrs:
        label = group.attrs["sentence_label"]
        return label.decode() if isinstance(label, bytes) else str(label)
    if "transcription" not in group:
        return None
    codes = group["transcription"][:]
    (ends,) = np.nonzero(codes == 0)
    return "".join(map(chr, codes[: ends[0]] if len(ends) else codes))


def together(trials: Sequence[Trial]) -> Aligned:
    """Return the trials of a block, each a piece that begins anew."""
    lengths = [len(trial.features) for trial in trials]
    firsts = np.cumsum([0, *lengths[:-1]])
    names = tuple(f"{kind}-{k:03d}" for kind in ("tx", "sbp") for k in range(N_ELECTRODES))
    values = np.concatenate([trial.features for trial in trials])
    sentences: list[tuple[float, str]] = []
    for first, length, trial in zip(firsts.tolist(), lengths, trials, strict=True):
        if trial.sentence is not None:
            sentences.append((first, f"say:{trial.sentence}"))
            sentences.append((first + length - 1 - TAIL_ROWS, "said"))
    numbers = [(at, f"trial {t.number}") for at, t in zip(firsts.tolist(), trials, strict=True)]
    return Aligned(
        RATE_HZ,
        apart(lengths, RATE_HZ),
        [Stream("features", "Spikes", names, "1", values)],
        {"sentences": sentences, "trials": numbers},
        firsts,
    )


if __name__ == "__main__":
    sys.exit(main())
