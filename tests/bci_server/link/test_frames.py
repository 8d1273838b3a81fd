from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci_server.link.frames import MAX_FRAME_BYTES, Frames, FrameTooLong, frame


@given(st.lists(st.binary(max_size=50), max_size=8), st.lists(st.integers(0, 200), max_size=12))
def test_payloads_come_back_however_the_bytes_were_cut(payloads, cuts):
    data = b"".join(frame(p) for p in payloads)
    edges = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    frames = Frames()
    got = [p for a, b in pairwise(edges) for p in frames.feed(data[a:b])]
    assert got == payloads


def test_a_length_out_of_step_is_refused_before_memory_is_spent():
    with pytest.raises(FrameTooLong, match=str(MAX_FRAME_BYTES)):
        list(Frames().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big")))
