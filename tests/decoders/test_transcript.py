import hashlib
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoders.output import Alternative, Command, Prediction, Token
from decoders.transcript import Transcript, parse_line

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.integers(0, 2**53), st.lists(FINITE, min_size=1, max_size=5))
def test_every_float_comes_back_to_the_bit(sample, values):
    names = tuple(f"v{i}" for i in range(len(values)))
    said = (
        Command("velocity", names, tuple(values), "m/s", 0.25),
        Prediction(names, tuple(values), names[0], sample),
        Token(3, "naïve", "word", True, alternatives=(Alternative("native", values[0]),)),
    )
    back, outputs = parse_line(Transcript().add(sample, said))
    assert back == sample
    assert outputs == said
    assert [math.copysign(1, v) for v in outputs[0].values] == [math.copysign(1, v) for v in values]


def test_the_hash_is_of_the_lines():
    transcript = Transcript()
    lines = [transcript.add(i, (Prediction(("a", "b"), (0.5, 0.5)),)) for i in range(5)]
    text = "".join(f"{line}\n" for line in lines)
    assert transcript.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_numbers_of_numpys_are_numbers():
    hashes = set()
    for p in (np.float64(0.1), 0.1):
        transcript = Transcript()
        transcript.add(7, (Prediction(("a",), (p,)),))
        hashes.add(transcript.sha256)
    assert len(hashes) == 1


def test_nothing_said_is_no_line_and_changes_nothing():
    transcript = Transcript()
    before = transcript.sha256
    assert transcript.add(7, ()) == ""
    assert transcript.sha256 == before


@pytest.mark.parametrize(
    "other", [(8, 0.5), (7, math.nextafter(0.5, 1))], ids=["another sample", "another last bit"]
)
def test_any_difference_changes_the_hash(other):
    hashes = set()
    for sample, p in ((7, 0.5), other):
        transcript = Transcript()
        transcript.add(sample, (Prediction(("a",), (p,)),))
        hashes.add(transcript.sha256)
    assert len(hashes) == 2


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", '{"sample":1,"outputs":[{"type":"x"}]}', '{"sample":1,"outputs":[{}]}']
)
def test_what_is_no_line_is_refused(line):
    with pytest.raises(msgspec.DecodeError):
        parse_line(line)
