"""A caller's connection, bounded where uvicorn's is not: how long and how large a head may be, and how many there are.

uvicorn waits for the end of a head as long as it takes and keeps all of it, so that a handful of callers who send a
byte now and then, or headers without end, would hold the gateway's connections and memory for nothing.
"""

import asyncio
from typing import ClassVar, Final, cast

from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from hfgen.openai_api.refusal import Refusal

_PHRASES: Final = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}
_LARGEST_HEAD: Final = 64 * 2**10  # bytes on the wire; the guard then looks at the headers themselves
_FULL: Final = Refusal(503, "all connections are taken; try again", code="too_many_connections", retry_after=1.0)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, with limits to what comes before a request is one."""

    head_time: ClassVar[float] = 10.0
    """Seconds from the first byte of a request, or the connection, to the end of its head."""
    linger: ClassVar[float] = 5.0
    """Seconds for the rest of a body whose request was answered without it; the caller may still hear the answer."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn's own check has no body in OpenAI's form, and counts the last connection that is allowed as too many.
        self._most, self.limit_concurrency = self.limit_concurrency, None
        self._timer: asyncio.TimerHandle | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        if self._most is not None and len(self.connections) > self._most:
            self.app = _turned_away
        self._expect_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        self._rest_came()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._timer is not None and self._head_bytes > _LARGEST_HEAD and not self.transport.is_closing():
            self._refuse(Refusal(431, f"the head holds more than {_LARGEST_HEAD // 2**10} KiB"))

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:
            self._expect_head()

    @override
    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline and self.cycle.response_complete and self.cycle.more_body:
            self._lingering = self.loop.call_later(self.linger, self.transport.close)

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._lingering is not None:
            self._rest_came()
            # uvicorn's timer for idle connections went with the first of these bytes.
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    @override
    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(Refusal(400, msg.rstrip("."), code="invalid_http"))

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._timer = self.loop.call_later(self.head_time, self._too_late)

    def _head_came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rest_came(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def _too_late(self) -> None:
        self._timer = None
        if self._answering():  # the head of the next request, sent too early, may wait
            self._expect_head()
        elif not self.transport.is_closing():
            self._refuse(Refusal(408, f"no complete request came within {self.head_time:g} s", code="slow_request"))

    def _refuse(self, error: Refusal) -> None:
        """Answer what no app will see, and close; in the midst of another answer only close."""
        self._head_came()
        if not self._answering():
            body = error.body()
            head = b"HTTP/1.1 %d %s\r\n" % (error.status, _PHRASES[error.status])
            self.transport.write(
                head
                + b"content-type: application/json\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n"
                b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
            )
        self.transport.close()

    def _answering(self) -> bool:
        # None before the first request, whatever uvicorn's types say.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete


async def _turned_away(scope: Scope, _receive: Receive, send: Send) -> None:
    """The answer on a connection too many."""
    if scope["type"] != "http":
        return
    body = _FULL.body()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
