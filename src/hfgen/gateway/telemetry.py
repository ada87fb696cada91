"""Spans of OpenTelemetry: one for each request, and within it one for each answer, all its retries included.

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
from hfgen.gateway import span_names as names
from hfgen.gateway.telling import Events
from hfgen.messages import text_of
from hfgen.version import __version__

_SERVER_FAULT: Final = 500


def is_on() -> bool:
    """Whether somebody listens."""
    return not isinstance(trace.get_tracer_provider(), (trace.ProxyTracerProvider, trace.NoOpTracerProvider))


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


async def traced(events: Events, model: str, asked: Mapping[str, Any], api_base: str) -> Events:
    """The same events, with a span around them.

    Args:
        events: Of one answer.
        model: As the caller names it.
        asked: Arguments of `create_async_generator`.
        api_base: The server that answers, "" for Hugging Face or the local engine.
    """
    operation = _operation(asked)
    begun = time.perf_counter()
    attributes = _request(operation, model, asked, api_base)
    span = _tracer().start_span(f"{operation} {model}".strip(), kind=SpanKind.CLIENT, attributes=attributes)
    said: list[str] | None = [] if _captures() else None
    first = True
    try:
        async with aclosing(events):
            async for batch in events:
                if first and not all(isinstance(event, Progress) for event in batch):
                    first = False
                    span.set_attribute(names.FIRST_CHUNK, round(time.perf_counter() - begun, 6))
                for event in batch:
                    _note(span, event)
                if said is not None:
                    said += [event for event in batch if isinstance(event, str)]
                yield batch
    except HfgenError as error:
        span.set_attribute(names.ERROR, type(error).__name__)
        span.set_status(StatusCode.ERROR, error.message)
        raise
    finally:
        if said is not None:
            span.set_attribute(names.INPUT_MESSAGES, _input(asked))
            span.set_attribute(names.OUTPUT_MESSAGES, _messages([("assistant", "".join(said))]))
        span.end()


def _operation(asked: Mapping[str, Any]) -> str:
    if asked.get("mode") == "image":
        return "generate_content"
    return "text_completion" if asked.get("prompt") is not None else "chat"


def _request(operation: str, model: str, asked: Mapping[str, Any], api_base: str) -> dict[str, Any]:
    server = urlsplit(api_base)
    found = {named: asked.get(name) for name, named in names.REQUEST.items()}
    stop = asked.get("stop")
    found |= {
        names.OPERATION: operation,
        names.PROVIDER: "openai" if api_base else "huggingface",  # the form that a server of one's own is asked in
        names.REQUEST_MODEL: model or None,
        names.REQUEST_STOP: [stop] if isinstance(stop, str) else stop,
        names.OUTPUT_TYPE: "image" if operation == "generate_content" else "text",
        names.ADDRESS: server.hostname,
        names.PORT: server.port,
    }
    return {name: value for name, value in found.items() if value is not None}


def _note(span: Span, event: Event) -> None:
    match event:
        case Usage():
            span.set_attribute(names.INPUT_TOKENS, event.prompt_tokens)
            span.set_attribute(names.OUTPUT_TOKENS, event.completion_tokens)
            span.set_attribute(names.CACHED_TOKENS, event.cached_tokens)
            span.set_attribute(names.REASONING_TOKENS, event.reasoning_tokens)
        case FinishReason():
            span.set_attribute(names.FINISH_REASONS, [event.reason])
            span.set_attribute(names.RESPONSE_MODEL, event.model)
        case _:
            pass  # what else comes is the answer itself


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
