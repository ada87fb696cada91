"""One JSON line for each request, and its figures: who asked what, how it ended. Never a key, a query, or any text."""

import json
import logging
import secrets
import time
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hfgen.gateway.heads import completed
from hfgen.gateway.meters import Figures, Meters
from hfgen.redaction import redact

LOG: Final = logging.getLogger("hfgen.gateway.access")
_HUNG_UP: Final = 499  # nginx's word for a caller that left first


class Journal:
    """Gives every request its id, which every answer carries, and writes it down when it has ended.

    Args:
        app: Whose requests are written down.
        meters: Count them.
    """

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{secrets.token_hex(16)}"
        scope["hfgen.request_id"] = request_id
        begun = time.perf_counter()
        first, status, sent, whole = 0.0, _HUNG_UP, 0, False

        async def noted(message: Message) -> None:
            nonlocal first, status, sent, whole
            if message["type"] == "http.response.start":
                status = message["status"]
                scope["hfgen.begun"] = True  # from here on no error is a status
                message["headers"] = completed(list(message.get("headers", ())), scope)
            else:
                first = first or time.perf_counter()
                sent += len(message.get("body", b""))
                whole = not message.get("more_body", False)
            await send(message)

        self._meters.running.inc()
        try:
            await self._app(scope, receive, noted)
        finally:
            self._meters.running.dec()
            now = time.perf_counter()
            figures = Figures(status, sent, now - begun, (first or now) - begun, whole=whole)
            route = getattr(scope.get("route"), "path", "none")  # Starlette's; the path itself could be anything
            self._meters.count(route, figures)
            if LOG.isEnabledFor(logging.INFO):
                LOG.info("%s", json.dumps(_line(scope, figures)))


def _line(scope: Scope, figures: Figures) -> dict[str, Any]:
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "request_id": scope["hfgen.request_id"],
        "method": scope["method"],
        "path": redact(scope["path"][:200]),
        "status": figures.status,
        "complete": figures.whole,
        "bytes": figures.sent,
        "seconds": round(figures.seconds, 4),
        "first_byte": round(figures.first, 4),
        "caller": scope.get("hfgen.caller", ""),
        "model": redact(scope.get("hfgen.model", "")),
    }
