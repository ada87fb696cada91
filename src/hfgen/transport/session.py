"""The door to the network: connections, proxies, time limits, and a token that never leaves its origin.

aiohttp is imported here and in `http` only, and when it is first used.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from hfgen.answers import error_of_answer
from hfgen.errors import ConnectionFailed, UsageError
from hfgen.limits import Limits
from hfgen.redaction import conceal
from hfgen.transport.failures import translated
from hfgen.transport.reading import HttpAnswer, read_bounded
from hfgen.version import __version__
from hfgen.wire import Body, Target, WireRequest, origin_of

if TYPE_CHECKING:
    import aiohttp

_MOST_REDIRECTS: Final = 3
_LARGEST_ERROR: Final = 64 * 1024
_LARGEST_BODY: Final = 64 * 2**20
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class Session:
    """Connections that many calls share; `async with Session() as session:`, or `close()` it.

    A session belongs to the event loop that first uses it.

    Args:
        proxy: URL of an HTTP or SOCKS proxy for every request; else the usual environment variables decide.
    """

    def __init__(self, *, proxy: str | None = None) -> None:
        self._proxy = _checked_proxy(proxy)
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; using the session again opens it anew."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @contextlib.asynccontextmanager
    async def open(self, request: WireRequest, target: Target, limits: Limits) -> AsyncGenerator[HttpAnswer, None]:
        """Send a request and hand its answer over once its head has come.

        Leaving the context closes the connection at once, unless the answer was read to its end.

        Raises:
            ConnectionFailed: No connection, or it broke before the head.
            TimedOut: No connection or no head within the limits.
            HfgenError: The answer is an error, by its status.
        """
        if request.delay:
            await asyncio.sleep(request.delay)
        response = await self._send(request, target, limits)
        try:
            if response.status >= 300:  # noqa: PLR2004 - whatever is no success, unfollowed redirects among them
                raise await _refused(response, limits)
            answer = HttpAnswer(response, limits)
            try:
                yield answer
            finally:
                answer.close()
        finally:
            response.close()  # after the end of the body this is nothing: the connection is back in the pool

    async def fetch(
        self, request: WireRequest, target: Target, limits: Limits | None = None, most: int = _LARGEST_BODY
    ) -> Body:
        """The whole body of one answer of at most `most` bytes.

        Raises:
            HfgenError: As `open`, and when the body is larger.
        """
        limits = limits or Limits()
        async with self.open(request, target, limits) as answer:
            return Body(answer.media_type, await answer.whole(most))

    async def _send(self, request: WireRequest, target: Target, limits: Limits) -> "aiohttp.ClientResponse":
        """Send, and follow the few redirects that are safe to follow."""
        url = request.url
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._send_once(url, request, target, limits)
            where = _redirect(response, request)
            if where is None:
                return response
            url = where
            response.release()
        raise ConnectionFailed(f"{target.name} redirects in a circle", hint="Give the final address as api_base.")

    async def _send_once(
        self, url: str, request: WireRequest, target: Target, limits: Limits
    ) -> "aiohttp.ClientResponse":
        import aiohttp  # noqa: PLC0415

        headers = {**_base_headers(), **target.headers, **request.headers}
        if target.token and origin_of(url) == target.origin:
            conceal(target.token)
            headers["Authorization"] = f"Bearer {target.token}"
        timeout = aiohttp.ClientTimeout(total=None, connect=limits.connect, sock_connect=limits.connect)
        async with translated(target, limits):
            return await self._opened().request(
                request.method,
                url,
                data=request.body,
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy_for(url),
                ssl=_tls() if url.startswith("https:") else True,
                timeout=timeout,
            )

    def _proxy_for(self, url: str) -> str | None:
        """An explicit HTTP proxy, else the environment's; never one for this very machine's servers."""
        if self._proxy is not None:
            return None if self._proxy.startswith("socks") else self._proxy
        host = urlsplit(url).hostname or ""
        return None if host in _LOOPBACK else _environment_proxy(url)

    def _opened(self) -> "aiohttp.ClientSession":
        if self._client is None or self._client.closed:
            self._client = _client(self._proxy)
        return self._client


def _client(proxy: str | None) -> "aiohttp.ClientSession":
    import aiohttp  # noqa: PLC0415

    if proxy is not None and proxy.startswith("socks"):
        try:
            from aiohttp_socks import ProxyConnector  # noqa: PLC0415
        except ImportError as error:
            raise UsageError(
                f"a SOCKS proxy needs one more package: {error}", hint="pip install 'hfgen[socks]'"
            ) from error
        connector: aiohttp.BaseConnector = ProxyConnector.from_url(proxy, limit=0)  # pyright: ignore[reportUnknownMemberType]
    else:
        connector = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # we ask for `identity`; what comes compressed all the same is no token stream
        read_bufsize=2**18,
        trust_env=False,  # .netrc must not add credentials; the proxy variables are read in `_environment_proxy`
    )


def _base_headers() -> dict[str, str]:
    return {"User-Agent": f"hfgen/{__version__}", "Accept-Encoding": "identity"}


def _redirect(response: "aiohttp.ClientResponse", request: WireRequest) -> str | None:
    """Where to go on: a GET anywhere, a POST only within its own origin and only where it stays a POST."""
    if response.status not in (301, 302, 303, 307, 308) or "Location" not in response.headers:
        return None
    where = str(response.url.join(response.url.__class__(response.headers["Location"])))
    if not where.startswith(("http://", "https://")):
        return None
    if request.method == "GET":
        return where
    same = origin_of(where) == origin_of(request.url)
    return where if same and response.status in (307, 308) else None


async def _refused(response: "aiohttp.ClientResponse", limits: Limits) -> Exception:
    body = b""
    with contextlib.suppress(Exception):  # the status alone is an answer, whatever becomes of its body
        async with asyncio.timeout(limits.idle if limits.idle is None else min(limits.idle, 10.0)):
            body = await read_bounded(response.content, _LARGEST_ERROR, cut=True)
    return error_of_answer(response.status, response.headers, body, url=str(response.url))


@cache
def _tls() -> ssl.SSLContext:
    """One context for the process: making one costs some 45 ms."""
    return ssl.create_default_context()


def _checked_proxy(proxy: str | None) -> str | None:
    if proxy is None or not proxy.strip():
        return None
    if urlsplit(proxy).scheme not in ("http", "https", "socks4", "socks5", "socks5h") or not urlsplit(proxy).hostname:
        raise UsageError("proxy= is no URL of a proxy", hint="Give one such as http://host:3128 or socks5://host:1080.")
    if "@" in proxy:
        conceal(urlsplit(proxy).password)
    return proxy.replace("socks5h://", "socks5://")


def _environment_proxy(url: str) -> str | None:
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    return proxy if urlsplit(proxy).scheme in ("http", "https") else None
