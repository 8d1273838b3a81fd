"""The judge finds what it is there to find, and nothing else."""

import msgspec
import pytest

from benchmarks.oracle import Allowed, Judge
from tests.bci_server.safety.test_second import command, neutral


def judge():
    return Judge({"x": Allowed(0.5, 2.0)}, max_age_ms=100.0)


def said(seq, at_s, value=0.5, **fields):
    made = command(at_s, value, **fields)
    ledger = msgspec.structs.replace(made.ledger, published_s=at_s + 0.001)
    return msgspec.structs.replace(made, seq=seq, ledger=ledger)


def still(seq, at_s, value=0.0, **fields):
    made = neutral(at_s, value, **fields)
    ledger = msgspec.structs.replace(made.ledger, published_s=at_s + 0.001)
    return msgspec.structs.replace(made, seq=seq, ledger=ledger)


def after(*messages, came_s=0.002):
    judging = judge()
    for message in messages:
        moves = message.mode != "neutral"
        judging.take(message, moves, message.ledger.decoded_s + came_s)
    return judging


def test_what_is_as_it_should_be_is_safe():
    found = after(
        still(1, 0.0),
        said(2, 0.01, 0.02),
        said(3, 0.02, 0.04),
        still(4, 0.03, 0.02),
        still(5, 0.04),
    )
    assert (found.unsafe, found.counts["commands"], found.counts["moving"]) == (0, 5, 2)
    assert found.examples == []


@pytest.mark.parametrize(
    ("messages", "what"),
    [
        ((said(2, 0.0), said(2, 0.01)), "order"),
        ((said(1, 0.0, 0.51),), "limit"),
        ((said(1, 0.0, float("nan")),), "limit"),
        ((said(1, 0.0, 0.1), said(2, 0.01, 0.2)), "slope"),
        ((said(1, 0.0, armed=False),), "disarmed"),
        ((said(1, 0.0, safety="hold"),), "disarmed"),
        ((said(1, 0.0), still(2, 0.01, 0.49), said(3, 0.02)), "disarmed"),
        ((still(1, 0.0, 0.1), still(2, 0.1, 0.2)), "disarmed"),
    ],
)
def test_what_should_not_have_come_is_counted(messages, what):
    found = after(*messages)
    assert found.counts[what] >= 1
    assert found.unsafe >= 1
    assert found.examples[0].startswith(what)


def test_what_is_old_counts_only_if_it_is_carried_out():
    assert after(said(1, 0.0), came_s=0.2).counts["stale"] == 1
    judging = judge()
    judging.take(said(1, 0.0), False, 9.0)
    assert judging.unsafe == 0


def test_one_that_comes_after_its_forerunner_has_run_out_is_late_but_not_unsafe():
    found = after(said(1, 0.0), said(2, 0.2))
    assert (found.counts["late"], found.unsafe) == (1, 0)
    assert found.worst["pause_ms"] == pytest.approx(200.0)


def test_another_epoch_begins_anew():
    judging = after(said(9, 0.0))
    judging.begin()
    judging.take(said(1, 0.01), True, 0.012)
    assert judging.unsafe == 0
