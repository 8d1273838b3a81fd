import gc

import pytest


@pytest.fixture(autouse=True)
def _no_streams_left_behind(request):
    """Let go of LSL streams that an error's trace still holds: each takes ports of the next."""
    yield
    if "lsl" in request.fixturenames:
        gc.collect()
        gc.freeze()  # what is left, libraries for the most part, need not be looked through again
