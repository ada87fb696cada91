"""Spans where `hfgen[otel]` is installed and somebody listens; else everything stays as it is."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from starlette.types import ASGIApp

from hfgen.gateway.about import About
from hfgen.gateway.telling import Events


class _Telemetry(NamedTuple):
    traced_app: Callable[[ASGIApp], ASGIApp]
    traced: Callable[[Events, str, Mapping[str, Any], str, About], Events]
    is_on: Callable[[], bool]


def with_spans(app: ASGIApp) -> ASGIApp:
    """The app, each of its requests in a span."""
    telemetry = _telemetry()
    return app if telemetry is None else telemetry.traced_app(app)


def in_span(events: Events, model: str, asked: Mapping[str, Any], api_base: str, about: About) -> Events:
    """The events of an answer, in a span; arguments as for `telemetry.traced`."""
    telemetry = _telemetry()
    if telemetry is None or not telemetry.is_on():
        return events
    return telemetry.traced(events, model, asked, api_base, about)


@functools.cache
def _telemetry() -> _Telemetry | None:
    try:
        from hfgen.gateway.telemetry import Traced, is_on, traced  # noqa: PLC0415 - an optional part
    except ModuleNotFoundError:
        return None
    return _Telemetry(Traced, traced, is_on)
