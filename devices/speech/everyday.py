"""Sentences to be said: those that come with the package, or a file of them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["sentences_of"]


def sentences_of(path: str = "") -> tuple[str, ...]:
    """Return the sentences of a text file, one a line, without empty lines.

    Parameters
    ----------
    path
        UTF-8 text; empty: the everyday sentences of the package.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It has no sentences, or is not UTF-8.
    """
    file = Path(path) if path else files("devices.speech").joinpath("sentences.txt")
    lines = (line.strip() for line in file.read_text("utf-8").splitlines())
    if not (sentences := tuple(line for line in lines if line)):
        raise ValueError(f"{path} has no sentences: it needs one a line")
    return sentences
