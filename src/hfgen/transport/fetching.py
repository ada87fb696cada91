"""Fetching what lies at an address that a server names: with nobody's token, and never from inside our own network.

The name is resolved once, every one of its addresses is checked, and the connection goes to one of those. Through a
proxy it is the proxy that resolves: there the scheme, addresses written as such, and local names are all that can be
checked.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from msgspec.structs import replace

from hfgen.errors import BadPicture, ConnectionFailed, HfgenError, RateLimited, ResponseError, ServerError, TimedOut
from hfgen.limits import Limits
from hfgen.transport.addresses import Address, Reach, is_local_name, literal, reach, reachable_from
from hfgen.transport.connections import Connections
from hfgen.transport.proxies import proxy_for
from hfgen.transport.reading import HttpAnswer, TooLarge
from hfgen.wire import Target, origin_of

if TYPE_CHECKING:
    import aiohttp

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]

LONGEST: Final = 120.0
"""Seconds for one picture, however steadily its bytes drip."""
_LONGEST_SILENCE: Final = 30.0
_HINT: Final = "Only a server in that network itself may name such an address."
_SCHEMES: Final = ("http", "https")


class Way:
    """How one address is reached: through which client, and through which proxy."""

    def __init__(self, target: Target, proxy: str | None, connections: Connections, resolve: Resolve) -> None:
        self._target = target
        self._proxy = proxy
        self._connections = connections
        self._resolve = resolve
        self._allowed = reachable_from(urlsplit(target.base).hostname or "")
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def client(self, url: str) -> "tuple[aiohttp.ClientSession, str | None]":
        """The client and the proxy for an address that may be fetched.

        Raises:
            BadPicture: It may not.
            ConnectionFailed: Its name is not known.
        """
        host, port = checked(url)
        proxy = self._proxy or proxy_for(url)
        if origin_of(url) == self._target.origin:  # the caller's own choice, and no stranger's
            return await self._connections.client(proxy), proxy
        address = literal(host)
        if proxy is not None:
            if address is None and is_local_name(host) and Reach.PRIVATE not in self._allowed:
                raise _forbidden(host, "is a name inside a private network")
            self._check(host, () if address is None else (address,))
            return await self._connections.client(proxy), proxy
        addresses = await self._resolve(host, port) if address is None else (address,)
        self._check(host, addresses)
        from hfgen.transport.pinning import pinned  # noqa: PLC0415 - it imports the HTTP library

        return await self._opened.enter_async_context(pinned(addresses)), None

    def _check(self, host: str, addresses: Sequence[Address]) -> None:
        for address in addresses:
            if reach(address) not in self._allowed:
                shown = f" ({address})" if str(address) != host else ""
                raise _forbidden(host, f"is no public address{shown}")


def checked(url: str) -> tuple[str, int]:
    """Host and port of an address as the HTTP library will read it.

    Raises:
        BadPicture: It is none of HTTP, carries a login, or writes a number in a form that hides where it leads.
    """
    from yarl import URL  # noqa: PLC0415 - comes with the HTTP library

    try:
        scheme = urlsplit(url).scheme.lower()
        read = URL(url)
        host, port, login = read.host or "", read.port or 0, read.user is not None or read.password is not None
    except ValueError:
        raise BadPicture("the server names an address for the picture that is none") from None
    if scheme not in _SCHEMES or not host:
        shown = scheme if scheme.isalnum() else "unknown"
        raise BadPicture(f"the server names an address of the kind {shown[:16]!r} for the picture; only http and https")
    if login:
        raise BadPicture("the server names an address with a login in it for the picture: that is not followed")
    address = literal(host)
    if address is not None and not _plain(host):
        raise _forbidden(host, f"is a hidden form of {address}")
    return host, port


def impatient(limits: Limits) -> Limits:
    """A file is there or it is not: nobody waits for its first byte as for a model's."""
    first, idle = (min(limit or _LONGEST_SILENCE, _LONGEST_SILENCE) for limit in (limits.first_token, limits.idle))
    return replace(limits, first_token=first, idle=idle)


async def bounded(answer: HttpAnswer, most: int) -> bytes:
    """The body; where its header says that it is too large, not a byte of it is read.

    Raises:
        BadPicture: It is too large.
    """
    told = answer.headers.get("Content-Length", "")
    if told.isdecimal() and int(told[:20]) > most:
        raise BadPicture(f"the picture is larger than {most} bytes ({told[:20]}): it is not read")
    try:
        return await answer.whole(most)
    except TooLarge as error:
        raise BadPicture(f"the picture is too large: {error.message}") from None


def unfetched(error: Exception, host: str, longest: float = LONGEST) -> HfgenError:
    """What a failed download is to the caller: never the error of a model or of a token."""
    if isinstance(error, (BadPicture, TimedOut, RateLimited)):
        return error
    if isinstance(error, TimeoutError):
        return TimedOut(f"the picture did not come from {host} within {longest:g} s")
    status = error.status if isinstance(error, ResponseError) else 404
    wait = error.retry_after if isinstance(error, ResponseError) else None
    said = error.message if isinstance(error, HfgenError) else ""
    if not isinstance(error, ServerError):
        said = said.partition(": ")[2]  # without "the server does not accept the token", of a link that has expired
    failed = f"the picture cannot be fetched from {host} (status {status}): {said}"
    return ServerError(failed, status=status, retry_after=wait)


async def resolve(host: str, port: int) -> Sequence[Address]:
    """All addresses of a name, by the system's own resolver.

    Raises:
        ConnectionFailed: It has none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        lasting = getattr(error, "errno", None) != socket.EAI_AGAIN
        raise ConnectionFailed(f"the name of {host} is not known", lasting=lasting) from error
    addresses = dict.fromkeys(literal(str(place[0])) for *_, place in found)
    if None in addresses:
        raise _forbidden(host, "has an address that is none")
    return tuple(address for address in addresses if address is not None)


def _plain(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _forbidden(host: str, why: str) -> BadPicture:
    return BadPicture(f"the picture is said to lie at {host}, which {why}: it is not fetched", hint=_HINT)
