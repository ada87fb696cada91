"""Figures for Prometheus: what was asked, how it ended, how long it took. No key and no text is among them."""

import asyncio
import os
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
WORKERS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's variable: where the workers of one gateway keep their figures, so that each can tell them all."""
_TEXT_FORM: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Figures:
    """How one request ended.

    Attributes:
        status: Of the answer; 499 where the caller hung up before it began.
        sent: Bytes of its body.
        seconds: From the request to its last byte.
        first: From the request to its first byte.
        whole: The answer came to its end.
    """

    status: int
    sent: int
    seconds: float
    first: float
    whole: bool


class Meters:
    """The figures of one gateway, apart from those of any other in the same process."""

    def __init__(self) -> None:
        self._all = own = CollectorRegistry()
        self.running = Gauge("hfgen_running", "Requests under way.", registry=own, multiprocess_mode="livesum")
        self.requests = Counter("hfgen_requests", "Requests that ended.", ("route", "status"), registry=own)
        self.cut = Counter(
            "hfgen_incomplete", "Answers that their callers did not wait for, or that broke.", ("route",), registry=own
        )
        self.sent = Counter("hfgen_sent_bytes", "Bytes of answers.", registry=own)
        self.seconds = Histogram(
            "hfgen_request_seconds", "From a request to its last byte.", ("route",), buckets=_SECONDS, registry=own
        )
        self.first = Histogram(
            "hfgen_first_byte_seconds", "From a request to its first byte.", ("route",), buckets=_SECONDS, registry=own
        )

    def count(self, route: str, figures: Figures) -> None:
        """Count a request that has ended.

        Args:
            route: The route as the gateway names it, never the path as it was sent.
            figures: How it ended.
        """
        self.requests.labels(route, str(figures.status)).inc()
        if not figures.whole:
            self.cut.labels(route).inc()
        self.sent.inc(figures.sent)
        self.seconds.labels(route).observe(figures.seconds)
        self.first.labels(route).observe(figures.first)

    async def page(self, _request: Request) -> Response:
        """`GET /metrics`: the figures of all workers where there are several."""
        return Response(await asyncio.to_thread(self._written), media_type=_TEXT_FORM)

    def _written(self) -> bytes:
        folder = os.environ.get(WORKERS_FOLDER)
        if folder is None:
            return generate_latest(self._all)
        together = CollectorRegistry()
        MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]  # prometheus_client's, without types
        return generate_latest(together)
