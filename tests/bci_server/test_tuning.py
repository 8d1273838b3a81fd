"""What is ordered is worked on elsewhere; the loop asks, and never waits."""

import os
import threading
from types import SimpleNamespace

import numpy as np

from bci_server.tuning import Tuning
from decoders.speech.order import Made, Order, Terms
from decoders.stage import Mismatch
from devices.signal import Signal

ORDER = Order(Signal(50.0, ("e0",), "1"), (), Terms(), {}, number=3)
CHANGED = {"day bias": np.ones(2)}


class Running:
    """A run whose learner gives the orders that it is told to."""

    def __init__(self, *orders):
        self.orders = list(orders)
        self.adaptive = self

    def take_order(self):
        return self.orders.pop(0) if self.orders else None


def until(tuning, run):
    """Turn until something comes."""
    for _ in range(2000):
        if found := tuning.turn(run, 7):
            return found
        threading.Event().wait(0.005)
    raise AssertionError("nothing came")


def test_the_loop_goes_on_while_it_is_worked_and_is_told_at_its_newest_sample():
    go, priority = threading.Event(), []

    def work(order):
        priority.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        assert go.wait(20)
        return Made(CHANGED, 12, 8, 4, 0.3, 0.2, "abc")

    made = {}
    tuning = Tuning(work, made)
    run = Running(ORDER, ORDER)
    assert tuning.turn(run, 1) == []
    assert tuning.turn(run, 2) == []
    assert len(run.orders) == 1  # one at a time
    assert not made
    go.set()
    (event,) = until(tuning, run)
    assert (event.sample, event.kind, event.label) == (7, "adapt", "made abc")
    assert event.values == (3.0, 12.0, 8.0, 4.0, 0.3, 0.2)
    assert made == {"abc": CHANGED}
    assert priority[0] >= 10
    tuning.close()


def test_why_nothing_was_made_is_told():
    def work(order):
        raise Mismatch("too little was sure")

    tuning = Tuning(work, {})
    run = Running(ORDER)
    tuning.turn(run, 1)
    (event,) = until(tuning, run)
    assert (event.label, event.values) == ("unmade too little was sure", (3.0,))
    tuning.close()


def test_closed_it_ends_what_is_worked_on():
    stopped = threading.Event()

    def work(order):
        stopped.wait(20)
        raise Mismatch("stopped")

    tuning = Tuning(work, {}, stopped.set)
    tuning.turn(Running(ORDER), 1)
    tuning.close()
    assert stopped.is_set()


def test_a_session_that_does_not_adapt_orders_nothing():
    tuning = Tuning(lambda order: None, {})
    assert tuning.turn(SimpleNamespace(adaptive=None), 1) == []
    tuning.close()
