"""What a caller gets where no answer was made: the errors of the routes, and those of the gateway itself."""

import asyncio
import logging
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hfgen.gateway import task_chunks
from hfgen.gateway.telling import CallerGone
from hfgen.openai_api.refusal import STOPPED, Refusal

_log: Final = logging.getLogger("hfgen.gateway")


class Raw:
    """An ASGI callable as an endpoint: Starlette takes an object for one, and a function for a request handler."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; where the caller has gone nothing is left to say."""
        try:
            await self._app(scope, receive, send)
        except CallerGone:
            return


class Porch:
    """Answers what was refused at the door, before any route, and writes down what failed: once, under its id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        try:
            await self._app(scope, receive, send)
        except Refusal as error:
            await _answer(error, scope)(scope, receive, send)
        except asyncio.CancelledError:  # the gateway stops, and this request has had its time
            if scope["type"] == "http" and not scope.get("hfgen.begun"):
                await _answer(STOPPED, scope)(scope, receive, send)
            raise
        except Exception:
            if scope["type"] != "http":
                raise
            _log.exception("request %s failed", scope["hfgen.request_id"])
            if not scope.get("hfgen.begun"):
                await _answer(_FAILED, scope)(scope, receive, send)


async def refused(request: Request, error: Exception) -> Response:
    """A refusal, in the form of the request."""
    assert isinstance(error, Refusal)  # noqa: S101 - registered for nothing else
    return _answer(error, request.scope)


async def no_route(request: Request, error: Exception) -> Response:
    """An address that leads nowhere, by its name."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    what = f"{request.method} {request.url.path[:200]}: {error.detail}"
    answer = await refused(request, Refusal(error.status_code, what, code="unknown_url"))
    answer.headers.update(error.headers or {})  # Allow, which a 405 must have (RFC 9110, 15.5.6)
    return answer


async def failed(request: Request, _error: Exception) -> Response:
    """A fault of the gateway itself: the caller gets the request's id, the log gets the traceback."""
    return await refused(request, _FAILED)


async def nobody_hears(_request: Request, _error: Exception) -> Response:
    """The caller has gone in the midst of its own request; 499 is nginx's word for it, and only the log sees it."""
    return Response(status_code=499)


HANDLERS = {Refusal: refused, ClientDisconnect: nobody_hears, HTTPException: no_route, Exception: failed}

_FAILED: Final = Refusal(500, "the gateway failed; its log has more under this request's id", code="internal_error")


def _answer(error: Refusal, scope: Scope) -> Response:
    headers = {} if error.retry_after is None else {"Retry-After": f"{max(1, round(error.retry_after))}"}
    request_id: str = scope["hfgen.request_id"]
    body = task_chunks.refused(error, request_id) if task_chunks.is_asked(scope) else error.body(request_id)
    return Response(body, error.status, headers, "application/json")
