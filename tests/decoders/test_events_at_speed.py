import numpy as np
import pytest

from decoders.blocks import Block
from decoders.events import Binding
from devices.signal import Chunk, Marker

RATE_HZ = 250.0


def bound(stamps, markers, hop, known_after=0):
    """Bind `markers`, which arrive with the sample `known_after`, on blocks of `hop`."""
    binding, events = Binding(RATE_HZ, hop), []
    for end in range(hop, len(stamps) + 1, hop):
        if end - hop <= known_after < end:
            binding.add(markers)
        times = stamps[end - hop : end]
        events += binding.reached(Block(end - 1, Chunk(times, np.zeros((hop, 1)))))
    return {e.label: e.sample for e in events}


@pytest.mark.parametrize("speed", [0.5, 1.0, 20.0, 100.0])
@pytest.mark.parametrize("hop", [1, 2, 25, 100])
@pytest.mark.parametrize("known_after", [0, 450])
def test_markers_are_bound_to_the_same_samples_at_every_speed(speed, hop, known_after):
    stamps = 1e5 + np.arange(500) / RATE_HZ / speed
    markers = [Marker(float(stamps[k]), str(k)) for k in (7, 130, 131, 333)]
    samples = bound(stamps, markers, hop, known_after)
    assert samples == {"7": 7, "130": 130, "131": 131, "333": 333}


def test_jitter_of_the_stamps_is_no_speed():
    rng = np.random.default_rng(0)
    stamps = 1e5 + np.arange(500) / RATE_HZ
    jittered = stamps + rng.uniform(-5e-4, 5e-4, 500)
    markers = [Marker(float(stamps[k]), str(k)) for k in (260, 333, 490)]
    assert bound(jittered, markers, hop=25) == {"260": 260, "333": 333, "490": 490}
