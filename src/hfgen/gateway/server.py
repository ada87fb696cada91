"""`hfgen serve`: the app on uvicorn."""

import contextlib
import socket
import sys
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from hfgen.errors import UsageError
from hfgen.gateway.connection import Connection
from hfgen.gateway.logs import write_logs
from hfgen.gateway.settings import Settings

_KEPT_ALIVE: Final = 75  # seconds; longer than the 60 of nginx and of the load balancers in front
WAITING: Final = 2048  # connections that the kernel holds until they are accepted; uvicorn's own figure


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket; `shared` lets other processes listen on the same port (SO_REUSEPORT).

    Raises:
        UsageError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, as asyncio turns off Nagle's algorithm only then; it would hold a token back for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            if not hasattr(socket, "SO_REUSEPORT"):
                raise UsageError("this system has no SO_REUSEPORT", hint="Serve with --workers 1.")
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        if not shared:
            listener.listen(WAITING)  # from here on a caller may come; shared ones listen when their process is up
    except OSError as error:
        listener.close()
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}", hint="Try another --port.") from error
    return listener


def configured(app: ASGIApp, *, drain: float, connections: int) -> uvicorn.Config:
    """How uvicorn serves the gateway.

    Args:
        app: The gateway.
        drain: Seconds that running answers get when it is told to stop.
        connections: The most that may be open at once.
    """
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever calls could name any address as its own
        timeout_keep_alive=_KEPT_ALIVE,
        timeout_graceful_shutdown=max(1, round(drain)),
        limit_concurrency=connections,
    )


def serve(app: ASGIApp, settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; answers under way then get `settings.drain` seconds to come to their end."""
    write_logs()
    allow_descriptors()
    uvicorn.Server(configured(app, drain=settings.drain, connections=settings.limits.connections)).run([listener])


def allow_descriptors() -> None:
    """As many as the system lets this process have: each answer takes two, and a shell gives 1,024."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - Windows has none

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):  # macOS refuses its own "no limit"
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
