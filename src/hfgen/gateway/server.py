"""`hfgen serve`: the app on uvicorn."""

import socket
from typing import Final

import uvicorn

from hfgen.errors import UsageError
from hfgen.gateway.app import create_app
from hfgen.gateway.settings import Settings

_KEPT_ALIVE: Final = 75  # seconds; longer than the 60 of nginx and of the load balancers in front
_WAITING: Final = 2048  # connections that the kernel holds until they are accepted; uvicorn's own figure


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
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        if not shared:
            listener.listen(_WAITING)  # from here on a caller may come; shared ones listen when their process is up
    except OSError as error:
        listener.close()
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}", hint="Try another --port.") from error
    return listener


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; answers under way then get `settings.drain` seconds to come to their end."""
    config = uvicorn.Config(
        create_app(settings),
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever calls could name any address as its own
        timeout_keep_alive=_KEPT_ALIVE,
        timeout_graceful_shutdown=max(1, round(settings.drain)),
        limit_concurrency=settings.limits.connections,
    )
    uvicorn.Server(config).run([listener])
