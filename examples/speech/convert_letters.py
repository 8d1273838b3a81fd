"""Take the letter-to-sound weights out of the wheel of g2p_en, and measure them.

    pip download --no-deps g2p_en==2.1.0
    python examples/speech/convert_letters.py g2p_en-2.1.0-py3-none-any.whl letters.safetensors

What comes out goes to devices/speech/. The package itself is not imported: it needs others that
are large, and downloads more when it runs.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from devices.speech.dictionary import Pronunciation, known, vocabulary
from devices.speech.letters import LetterToSound


def distance(one: Pronunciation, other: Pronunciation) -> int:
    """Return how many phonemes are wrong, missing or too many."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def error_rates(model: LetterToSound, words: list[str]) -> tuple[float, float]:
    """Return the rates of wrong phonemes and of wrong words, by the nearest variant."""
    wrong = length = wrong_words = 0
    for word in words:
        guess = model.pronounce(word)
        errors, n = min((distance(guess, said), len(said)) for said in known(word))
        wrong, length, wrong_words = wrong + errors, length + n, wrong_words + (errors > 0)
    return wrong / length, wrong_words / len(words)


def main() -> None:
    """Convert and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    with zipfile.ZipFile(asked.wheel) as wheel:
        arrays = dict(np.load(io.BytesIO(wheel.read("g2p_en/checkpoint20.npz"))))
    halved = {name: array.astype(np.float16) for name, array in arrays.items()}
    save_file(halved, asked.out, {"source": "g2p_en 2.1.0", "licence": "Apache-2.0"})
    rng = np.random.default_rng(0)
    words = [str(word) for word in rng.choice(vocabulary(), 2000, replace=False)]
    phonemes, whole = error_rates(LetterToSound(halved), words)
    print(f"{len(words)} words: {phonemes:.4f} of phonemes, {whole:.4f} of words wrong")


if __name__ == "__main__":
    main()
