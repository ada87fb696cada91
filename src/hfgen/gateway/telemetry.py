"""OpenTelemetry: a span for each request, and within it one for each answer, all its retries included; and figures.

Without opentelemetry-api, or without an SDK that somebody has set up (`opentelemetry-instrument hfgen serve`), nothing
is traced and nothing is paid. Prompts and answers are left out unless the conventions' own variable asks for them.
"""

import os
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hfgen.errors import HfgenError
from hfgen.events import Event, FinishReason, Progress, Usage
from hfgen.gateway import span_names as names, telemetry_figures
from hfgen.gateway.about import About
from hfgen.gateway.telemetry_figures import Outcome
from hfgen.gateway.telling import Events
from hfgen.messages import text_of
from hfgen.version import __version__

_SERVER_FAULT: Final = 500


def is_on() -> bool:
    """Whether somebody listens, to spans or to figures."""
    return telemetry_figures.is_on() or not isinstance(
        trace.get_tracer_provider(), (trace.ProxyTracerProvider, trace.NoOpTracerProvider)
    )


def _tracer() -> trace.Tracer:
    return trace.get_tracer("hfgen.gateway", __version__)


class Traced:
    """A span for each request, below the caller's own where a `traceparent` names it.

    Args:
        app: Whose requests are traced.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or not is_on():
            await self._app(scope, receive, send)
            return
        caller = propagate.extract(Headers(scope=scope))
        begun = {names.METHOD: scope["method"], names.REQUEST_ID: scope.get("hfgen.request_id", "")}
        with _tracer().start_as_current_span(
            scope["method"], caller, SpanKind.SERVER, begun, record_exception=False
        ) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute(names.STATUS, message["status"])
                    if message["status"] >= _SERVER_FAULT:
                        span.set_attribute(names.ERROR, str(message["status"]))
                        span.set_status(StatusCode.ERROR)
                await send(message)

            try:
                await self._app(scope, receive, noted)
            finally:
                if route := getattr(scope.get("route"), "path", ""):
                    span.set_attribute(names.ROUTE, route)
                    span.update_name(f"{scope['method']} {route}")


async def traced(events: Events, model: str, asked: Mapping[str, Any], api_base: str, about: About) -> Events:
    """The same events, with a span around them, and counted when they end.

    Args:
        events: Of one answer.
        model: As the caller names it.
        asked: Arguments of `create_async_generator`.
        api_base: The server that answers, "" for Hugging Face or the local engine.
        about: What else is told.
    """
    operation = _operation(asked)
    attributes = _request(operation, model, asked, api_base, about)
    span = _tracer().start_span(f"{operation} {model}".strip(), kind=SpanKind.CLIENT, attributes=attributes)
    answer = _Answer(span, [] if _captures() else None)
    try:
        async with aclosing(events):
            async for batch in events:
                for event in batch:
                    answer.note(event)
                yield batch
    except HfgenError as error:
        answer.error = type(error).__name__
        span.set_attribute(names.ERROR, answer.error)
        span.set_status(StatusCode.ERROR, error.message)
        raise
    finally:
        if answer.said is not None:
            span.set_attribute(names.INPUT_MESSAGES, _input(asked))
            span.set_attribute(names.OUTPUT_MESSAGES, _messages([("assistant", "".join(answer.said))]))
        span.end()
        if telemetry_figures.is_on():
            telemetry_figures.record(attributes, answer.outcome())


class _Answer:
    """What is noted of an answer while it comes.

    Args:
        span: Its own.
        said: Where its text goes, None where nobody asked for it.
    """

    def __init__(self, span: Span, said: list[str] | None) -> None:
        self._span = span
        self.said = said
        self.error = ""
        self._begun = time.perf_counter()
        self._first: float | None = None
        self._usage: Usage | None = None
        self._end: FinishReason | None = None

    def note(self, event: Event) -> None:
        if self._first is None and not isinstance(event, Progress):
            self._first = time.perf_counter() - self._begun
            self._span.set_attribute(names.FIRST_CHUNK, round(self._first, 6))
        match event:
            case str():
                if self.said is not None:
                    self.said.append(event)
            case Usage():
                self._usage = event
                self._span.set_attributes(_usage(event))
            case FinishReason():
                self._end = event
                self._span.set_attribute(names.FINISH_REASONS, [event.reason])
                self._span.set_attribute(names.RESPONSE_MODEL, event.model)
            case _:
                pass  # what else comes is the answer itself

    def outcome(self) -> Outcome:
        seconds = time.perf_counter() - self._begun
        return Outcome(seconds, self._first, self._usage, self._end, self.error)


def _operation(asked: Mapping[str, Any]) -> str:
    if asked.get("mode") == "image":
        return "generate_content"
    return "text_completion" if asked.get("prompt") is not None else "chat"


def _request(operation: str, model: str, asked: Mapping[str, Any], api_base: str, about: About) -> dict[str, Any]:
    server = urlsplit(api_base)
    found = {named: asked.get(name) for name, named in names.REQUEST.items()}
    stop = asked.get("stop")
    found |= {
        names.OPERATION: operation,
        names.PROVIDER: "openai" if api_base else "huggingface",  # the form that a server of one's own is asked in
        names.REQUEST_MODEL: model or None,
        names.REQUEST_CHOICES: about.choices if about.choices > 1 else None,
        names.REQUEST_STREAM: about.stream or None,
        names.RESPONSE_ID: about.answer_id or None,
        names.REQUEST_STOP: [stop] if isinstance(stop, str) else stop,
        names.OUTPUT_TYPE: "image" if operation == "generate_content" else "text",
        names.ADDRESS: server.hostname,
        names.PORT: server.port,
    }
    return {name: value for name, value in found.items() if value is not None}


def _usage(usage: Usage) -> dict[str, int]:
    return {
        names.INPUT_TOKENS: usage.prompt_tokens,
        names.OUTPUT_TOKENS: usage.completion_tokens,
        names.CACHED_TOKENS: usage.cached_tokens,
        names.REASONING_TOKENS: usage.reasoning_tokens,
    }


def _captures() -> bool:
    return os.environ.get(names.CAPTURE, "").strip().lower() in names.CAPTURES


def _input(asked: Mapping[str, Any]) -> str:
    prompt = asked.get("prompt")
    if prompt is not None:
        return _messages([("user", str(prompt))])
    return _messages(
        [(message.get("role", ""), text_of(message.get("content"))) for message in asked.get("messages", ())]
    )


def _messages(said: list[tuple[str, str]]) -> str:
    """Messages in the form of the conventions, as JSON: an attribute holds no structure."""
    return msgspec.json.encode(
        [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in said]
    ).decode()
