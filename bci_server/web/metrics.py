"""The figures of the server in Prometheus' text format, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from bci_server.web.live import Live
from bci_server.web.services import Services

__all__ = ["exposition"]

_QUANTILES = (("0.5", "p50"), ("0.99", "p99"), ("0.999", "p999"))


def exposition(services: Services) -> tuple[bytes, str]:
    """Return all figures, and their content type."""
    registry = CollectorRegistry()
    registry.register(_Figures(services))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Figures(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        crowd = self._services.crowd
        yield _gauge("bci_clients", "Clients connected.", crowd.n)
        yield _counter("bci_clients_refused", "Clients turned away: too many.", crowd.n_refused)
        yield _counter(
            "bci_clients_too_slow", "Clients closed that could not follow.", crowd.n_too_slow
        )
        lives = list(self._services.directory)
        for family in (_states, _latency, _engine, _fan_out):
            yield from family(lives)


def _states(lives: list[Live]) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "bci_session_state", "1 for the session's state.", labels=["session", "state"]
    )
    lost = GaugeMetricFamily(
        "bci_engine_lost", "1 when the engine is gone or silent.", labels=["session"]
    )
    for live in lives:
        up.add_metric([live.name, live.state], 1)
        lost.add_metric([live.name], float(live.phase.lost))
    yield up
    yield lost


def _latency(lives: list[Live]) -> Iterator[Metric]:
    spans = GaugeMetricFamily(
        "bci_latency_seconds",
        "Spans of the ledger: quantiles over the last minute, and of decoded to published.",
        labels=["session", "span", "quantile"],
    )
    for live in lives:
        for quantile, ms in live.hub.decoded_published.percentiles().items():
            spans.add_metric([live.name, "decoded_published", quantile], ms / 1e3)
        for span, percentiles in (live.status.latency_ms if live.status else {}).items():
            for quantile, name in _QUANTILES:
                spans.add_metric([live.name, span, quantile], getattr(percentiles, name) / 1e3)
    yield spans


def _engine(lives: list[Live]) -> Iterator[Metric]:
    misses = _labelled(CounterMetricFamily, "bci_deadline_misses", "Blocks decoded too late.")
    lost = _labelled(CounterMetricFamily, "bci_samples_lost", "Samples that never came.")
    gaps = _labelled(CounterMetricFamily, "bci_gaps", "Gaps in the stream.")
    age = _labelled(GaugeMetricFamily, "bci_sample_age_seconds", "Age of the newest sample.")
    rate = _labelled(GaugeMetricFamily, "bci_effective_rate_hz", "Samples a second that came.")
    for live in lives:
        status = live.status
        if status is None:
            continue
        misses.add_metric([live.name], status.deadline_misses)
        lost.add_metric([live.name], status.n_lost)
        gaps.add_metric([live.name], status.n_gaps)
        rate.add_metric([live.name], status.effective_rate_hz)
        if status.sample_age_ms is not None:
            age.add_metric([live.name], status.sample_age_ms / 1e3)
    yield from (misses, lost, gaps, age, rate)


def _fan_out(lives: list[Live]) -> Iterator[Metric]:
    labels = ["session", "topic"]
    published = CounterMetricFamily("bci_published", "Messages published.", labels=labels)
    replaced = _labelled(CounterMetricFamily, "bci_replaced", "Messages a newer one replaced.")
    dropped = _labelled(CounterMetricFamily, "bci_dropped", "Display messages dropped.")
    waiting = _labelled(GaugeMetricFamily, "bci_waiting", "Messages that wait for slow clients.")
    for live in lives:
        for topic, n in live.hub.n_published.items():
            published.add_metric([live.name, topic], n)
        losses = live.losses()
        replaced.add_metric([live.name], losses.n_replaced)
        dropped.add_metric([live.name], losses.n_dropped)
        waiting.add_metric([live.name], sum(len(c.pending) for c in live.clients))
    yield from (published, replaced, dropped, waiting)


def _labelled(family: Any, name: str, text: str) -> Any:
    return family(name, text, labels=["session"])


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)
