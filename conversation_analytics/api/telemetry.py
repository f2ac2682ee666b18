"""What Prometheus is told of the service itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE

__all__ = ["CONTENT_TYPE", "Telemetry"]

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10)
_PREFIX = "conversation_analytics"


class Telemetry:
    """Counters of one app; two apps in a process do not share any."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            f"{_PREFIX}_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            f"{_PREFIX}_http_request_seconds",
            "Seconds until a request was answered.",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            f"{_PREFIX}_http_requests_in_flight",
            "Requests being answered.",
            registry=self.registry,
        )
        self.committed_days = Gauge(
            f"{_PREFIX}_lake_committed_days",
            "Days whose conversations are in the lake.",
            registry=self.registry,
        )
        self.last_day = Gauge(
            f"{_PREFIX}_lake_last_day_timestamp_seconds",
            "Midnight (UTC) of the last of them, since 1970.",
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)
