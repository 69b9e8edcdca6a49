"""What Prometheus is told: requests, refusals, marks, and how much there is to do."""

import asyncio
from collections.abc import Iterator, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.datastructures import State

from app.errors import BodyError
from app.record import facts_of
from app.watch.exchange import Exchange
from app.work.dispatch import Dispatcher

NAMESPACE = "gradmark"

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Between half a millisecond, what a small computation takes, and where clients stop waiting."""


class Metrics:
    """The metrics of one application, whose state is asked for how much there is to do."""

    def __init__(self, state: State) -> None:
        # when each series began is of no use to anybody, and doubles their number
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library gives it no types
        self.registry = CollectorRegistry()
        self.requests = self._count("requests", "Requests that were answered.", "route", "method", "status")
        self.seconds = Histogram(
            "request_duration_seconds",
            "Time from a request's head to its reply's end, without requests refused at their head.",
            ["route"],
            namespace=NAMESPACE,
            registry=self.registry,
            buckets=SECONDS,
        )
        self.in_flight = Gauge(
            "requests_in_flight",
            "Requests that are being received, worked on or answered.",
            namespace=NAMESPACE,
            registry=self.registry,
        )
        self.refusals = self._count("refusals", "Requests that were refused.", "reason")
        self.grades = self._count("grades", "Submissions that were marked, in bulk as well.", "verdict")
        self.verdicts = self._count("verdicts", "Answers to single quantities that were marked.", "verdict")
        self.mistakes = self._count("mistakes", "Mistakes that feedback has named.", "mistake")
        self.bulk_lines = self._count("bulk_lines", "Lines of bulk requests that were answered.", "outcome")
        self.registry.register(Inside(state))
        for collector in (ProcessCollector, GCCollector, PlatformCollector):
            collector(registry=self.registry)
        self._text = b""

    def _count(self, name: str, said: str, *labels: str) -> Counter:
        return Counter(name, said, labels, namespace=NAMESPACE, registry=self.registry)

    def write(self) -> bytes:
        """Write all of them for Prometheus, once for all who ask in the same round of the event loop."""
        if not self._text:
            self._text = generate_latest(self.registry)
            asyncio.get_running_loop().call_soon(self._forget)
        return self._text

    def _forget(self) -> None:
        self._text = b""

    def count(self, exchange: Exchange, seconds: float) -> None:
        """Count a request that is over."""
        route, marks = exchange.route, facts_of(exchange.scope).marks
        self.requests.labels(route, exchange.method, exchange.status).inc()
        self.seconds.labels(route).observe(seconds)
        if reason := exchange.reason:
            self.refusals.labels(reason).inc()
        if marks is None:
            return
        if marks.lines:
            self.bulk_lines.labels("graded").inc(marks.lines - marks.problems)
            self.bulk_lines.labels("problem").inc(marks.problems)
        for verdict, times in marks.verdicts.items():
            self.grades.labels(verdict).inc(times)
        for counts in marks.quantities.values():
            for verdict, times in counts["verdicts"].items():
                self.verdicts.labels(verdict).inc(times)
            for mistake, times in counts["mistakes"].items():
                self.mistakes.labels(mistake).inc(times)

    def count_refused(self, route: str, method: str, error: BodyError) -> None:
        """Count a request that is refused at its head: it takes no time, and would hide how long the others take."""
        self.requests.labels(route, method, error.status).inc()
        self.refusals.labels(error.code).inc()


class Inside(Collector):
    """What is inside the application at the moment when it is asked."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Look at places, memory and connections."""
        dispatcher: Dispatcher = self._state.dispatcher
        yield _gauge("running", "Requests that are worked on, but for the loop.", "place", dispatcher.running)
        yield _gauge("waiting", "Requests that wait for their turn.", "place", dispatcher.waiting)
        held = {"memory": dispatcher.memory.total, "files": dispatcher.spool.total}
        yield _gauge("held_bytes", "Bytes of bodies and replies, and of bulk requests in files.", "what", held)
        is_open = GaugeMetricFamily(f"{NAMESPACE}_connections", "Connections that are open.", labels=[])
        turned_away = CounterMetricFamily(
            f"{NAMESPACE}_turned_away",
            "Clients that never got to ask, or that kept the service waiting.",
            labels=["reason"],
        )
        # a service in the process of whoever asks it has none
        if (connections := getattr(self._state, "connections", None)) is not None:
            is_open.add_metric([], len(connections.connections))
            for reason, times in connections.turned_away.items():
                turned_away.add_metric([reason], times)
        yield from (is_open, turned_away)


def _gauge(name: str, said: str, label: str, values: Mapping[str, int]) -> Metric:
    gauge = GaugeMetricFamily(f"{NAMESPACE}_{name}", said, labels=[label])
    for value, number in values.items():
        gauge.add_metric([value], number)
    return gauge
