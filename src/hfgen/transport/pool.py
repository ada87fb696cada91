"""The HTTP library's pool of connections, which tells each request whether its connection is a kept one.

Imported when a session is first used, for aiohttp is slow to import. Its tracing would tell the same, for some 40 µs a
request.
"""

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiohttp
from typing_extensions import override

from hfgen.transport.course import COURSE

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace


class Pool(aiohttp.TCPConnector):
    """Tells the request's `Course` when it has a connection."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)  # pyright: ignore[reportUnknownMemberType] - a tuple of anything in a socket's
        self._known: WeakSet[ResponseHandler] = WeakSet()

    @override
    async def connect(
        self, req: aiohttp.ClientRequest, traces: "list[Trace]", timeout: aiohttp.ClientTimeout
    ) -> "Connection":
        """A kept connection, or a new one."""
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        assert protocol is not None  # noqa: S101 - a connection has one until it is released
        course = COURSE.get()
        course.reused = protocol in self._known
        if not course.reused:
            self._known.add(protocol)
        course.wait.connected()
        return connection
