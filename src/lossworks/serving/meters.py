"""What is counted of a server, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Sized
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1000)
_OF = ("run", "verb")


class Meters:
    """Counts of requests by their status, their seconds, batch sizes, and how many requests wait."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self._requests = Counter("lossworks_requests", "Requests, by the status of their answer.", (*_OF, "status"), registry=own)
        self._seconds = Histogram(
            "lossworks_request_seconds", "Seconds from a request to its answer.", _OF, buckets=_SECONDS, registry=own
        )
        self._batches = Histogram("lossworks_batch_texts", "Texts answered in one call.", _OF, buckets=_TEXTS, registry=own)
        self._of = cache(self._labelled)
        self._waiting = Gauge("lossworks_waiting_requests", "Requests that wait for a call.", _OF, registry=own)

    def request(self, run: str, verb: str, status: int, seconds: float) -> None:
        """A request was answered."""
        counter, histogram = self._of(run, verb, status)
        counter.inc()
        histogram.observe(seconds)

    def _labelled(self, run: str, verb: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(run, verb, status), self._seconds.labels(run, verb)

    def batch(self, run: str, verb: str) -> Callable[[int], None]:
        """What is to be told of the size of each batch."""
        return self._batches.labels(run, verb).observe

    def waiting(self, run: str, verb: str, queue: Sized) -> None:
        """Have it known how many wait in this queue."""
        self._waiting.labels(run, verb).set_function(queue.__len__)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)
