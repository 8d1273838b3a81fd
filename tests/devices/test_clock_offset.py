from devices.clock_offset import ClockOffset, OffsetEstimate, estimate_offset
from devices.liblsl import load_pylsl
from tests.devices.lsl_sender import Sender, unique


def followed(*estimates, every_s=2.0):
    """Return the offset after estimates of (offset, round trip), both in ms."""
    first, *rest = [OffsetEstimate(1e-3 * offset, 1e-3 * trip) for offset, trip in estimates]
    clock = ClockOffset(first, 0.0)
    for k, estimate in enumerate(rest, start=1):
        clock.take(estimate, every_s * k)
    return 1e3 * clock.offset_s


def test_two_clocks_that_may_be_one_are_one():
    assert followed((0.03, 0.1)) == 0.0
    assert followed((-0.9, 0.1)) == 0.0
    assert followed((60.0, 130.0)) == 0.0  # a packet that waited tells no more than that
    assert followed((60.0, 10.0)) == 60.0
    assert followed((-5e6, 300.0)) == -5e6


def test_an_estimate_of_a_busy_moment_does_not_move_a_clock_that_is_known_better():
    assert followed((0.0, 0.1), (140.0, 300.0)) == 0.0
    assert followed((5000.0, 0.2), (5140.0, 300.0)) == 5000.0
    assert followed((5000.0, 0.2), (4860.0, 300.0), (5140.0, 290.0)) == 5000.0


def test_a_better_estimate_replaces_the_first():
    assert followed((5140.0, 300.0), (5000.0, 0.2)) == 5000.0
    assert followed((5000.0, 0.2), (5000.1, 0.2)) == 5000.1


def test_of_two_as_good_ones_the_newer_counts_as_clocks_drift():
    assert followed((5000.0, 10.0), (5001.0, 10.5), every_s=2.0) == 5001.0
    assert followed((5000.0, 10.0), (5001.0, 12.0), every_s=2.0) == 5000.0
    assert followed((5000.0, 10.0), (5001.0, 12.0), every_s=10.0) == 5001.0


def test_one_that_contradicts_is_of_another_clock_however_uncertain():
    assert followed((5000.0, 0.2), (9000.0, 300.0)) == 9000.0
    assert followed((5000.0, 0.2), (0.3, 1.0)) == 0.0


def test_the_same_estimate_again_is_no_news():
    assert followed((5000.0, 10.0), (5000.0, 10.0), (5001.0, 12.0), every_s=6.0) == 5001.0


def test_lsl_says_how_long_its_packet_was_on_its_way(lsl):
    sender = Sender(lsl, unique("offset"))
    pylsl = load_pylsl()
    info = pylsl.resolve_byprop("source_id", sender.source_id, 1, 5.0)[0]
    inlet = pylsl.StreamInlet(info, 1, 0, True)
    estimate = estimate_offset(inlet, 5.0)
    assert 0.0 < estimate.round_trip_s < 1.0
    assert abs(estimate.offset_s) <= max(estimate.round_trip_s / 2, 1e-3)
    sender.close()
