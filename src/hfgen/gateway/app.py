"""The gateway as an ASGI app, which runs by itself (`hfgen serve`) or mounted in an app of one's own."""

import contextlib
import secrets
from collections.abc import AsyncGenerator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hfgen.gateway.chat import chat
from hfgen.gateway.completions import completions
from hfgen.gateway.guard import Guard
from hfgen.gateway.models import model, models
from hfgen.gateway.refusal import Refusal
from hfgen.gateway.settings import Settings
from hfgen.gateway.shares import Shares
from hfgen.gateway.telling import CallerGone
from hfgen.gateway.upstream import Upstream
from hfgen.transport.session import Session


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The gateway.

    Args:
        settings: How it answers, and whom; the defaults suit one user on this machine.
    """
    chosen = settings or Settings()

    session = Session()  # opens nothing before its first use; in a mounted app nobody runs `lifespan`

    @contextlib.asynccontextmanager
    async def running(_app: Starlette) -> AsyncGenerator[None, None]:
        async with session:
            yield

    app = Starlette(
        routes=[
            Route("/v1/chat/completions", Raw(chat), methods=["POST"]),
            Route("/v1/completions", Raw(completions), methods=["POST"]),
            Route("/v1/models", models, methods=["GET"]),
            Route("/v1/models/{name:path}", model, methods=["GET"]),
            Route("/health", health, methods=["GET"]),
        ],
        exception_handlers={
            Refusal: refused,
            CallerGone: nobody_hears,
            HTTPException: no_route,
            Exception: failed,
        },
        lifespan=running,
    )
    app.state.upstream = Upstream(chosen, session)
    return Named(Guard(Shares(app, chosen.limits), chosen))


class Raw:
    """An ASGI callable as an endpoint: Starlette takes an object for one, and a function for a request handler."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class Named:
    """Gives every request an id, which every answer carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{secrets.token_hex(16)}"
        scope["hfgen.request_id"] = request_id

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, named)
        except Refusal as error:  # at the door; what a route refuses does not come so far
            await _answer(error, request_id)(scope, receive, named)


async def refused(request: Request, error: Exception) -> Response:
    """Answer a refusal in OpenAI's form."""
    assert isinstance(error, Refusal)  # noqa: S101 - registered for nothing else
    return _answer(error, request.scope["hfgen.request_id"])


def _answer(error: Refusal, request_id: str) -> Response:
    headers = {} if error.retry_after is None else {"Retry-After": f"{max(1, round(error.retry_after))}"}
    return Response(error.body(request_id), error.status, headers, "application/json")


async def no_route(request: Request, error: Exception) -> Response:
    """Name the address that leads nowhere."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    what = f"{request.method} {request.url.path}: {error.detail}"
    return await refused(request, Refusal(error.status_code, what, code="unknown_url"))


async def failed(request: Request, _error: Exception) -> Response:
    """A fault of the gateway itself: the caller gets the request's id, the log gets the traceback."""
    return await refused(request, Refusal(500, "the gateway failed; its log has more under this request's id"))


async def nobody_hears(_request: Request, _error: Exception) -> Response:
    """The caller has gone; 499 is nginx's word for it, and only the log sees it."""
    return Response(status_code=499)


async def health(_request: Request) -> Response:
    """Whether the process lives."""
    return Response(b'{"status":"ok"}', media_type="application/json")
