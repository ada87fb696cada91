"""The HTTP library's clients, made when first needed: one for all requests, and one more for each SOCKS proxy."""

import asyncio
import ssl
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

from hfgen.errors import UsageError
from hfgen.transport.proxies import is_socks
from hfgen.version import __version__

if TYPE_CHECKING:
    import aiohttp

# Small, for while less than this waits aiohttp asks its transport to go on, at each HTTP chunk that is taken; no
# smaller, as aiohttp lets twice as much wait, and then all that one `recv` brings (64 KiB) is read at once.
_BUFFER: Final = 2**15


class Connections:
    """Belongs to the event loop that first uses it."""

    def __init__(self) -> None:
        self._clients: dict[str, aiohttp.ClientSession] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def client(self, proxy: str | None) -> "aiohttp.ClientSession":
        """The client to send with.

        Raises:
            UsageError: Another event loop uses these connections.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise UsageError(
                    "this session is in use in another event loop", hint="Make one Session for each event loop."
                )
            await self.close()
            self._loop = loop
        key = proxy if proxy is not None and is_socks(proxy) else ""
        if key not in self._clients:
            self._clients[key] = new_client(_connector(key))
        return self._clients[key]

    async def close(self) -> None:
        """Close every connection, from whichever loop."""
        clients, self._clients = self._clients, {}
        loop, self._loop = self._loop, None
        for client in clients.values():
            if loop is None or loop is asyncio.get_running_loop() or loop.is_closed():
                await client.close()
            else:
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(client.close(), loop))


def new_client(connector: "aiohttp.BaseConnector") -> "aiohttp.ClientSession":
    """A client on a connector, with nothing added to requests that hfgen does not add itself."""
    import aiohttp  # noqa: PLC0415

    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # `coding` does it in bounded pieces
        read_bufsize=_BUFFER,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # `silence` times all of it
        trust_env=False,  # .netrc must not add credentials; the proxy variables are read in `proxies`
        headers={"User-Agent": f"hfgen/{__version__}", "Accept-Encoding": "identity"},
    )


def _connector(socks: str) -> "aiohttp.BaseConnector":
    from hfgen.transport.pool import Pool  # noqa: PLC0415 - aiohttp is slow to import

    if not socks:
        return Pool(limit=0)
    try:
        from aiohttp_socks import ProxyConnector  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(f"a SOCKS proxy needs one more package: {error}", hint="pip install 'hfgen[socks]'") from error

    class SocksPool(Pool, ProxyConnector):
        pass

    return SocksPool.from_url(socks, limit=0)  # pyright: ignore[reportUnknownMemberType]


@cache
def load(*, secure: bool) -> None:
    """Import the HTTP library, and prepare TLS where it is wanted: this takes time that no server is to be timed by."""
    import_module("hfgen.transport.pool")
    if secure:
        tls()


@cache
def tls() -> ssl.SSLContext:
    """One context for the process: making one costs some 45 ms."""
    return ssl.create_default_context()
