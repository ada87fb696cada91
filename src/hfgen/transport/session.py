"""The door to the network: connections, proxies, time limits, and a token that never leaves its origin.

aiohttp is imported when a session is first used, and in `transport` only.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from msgspec.structs import replace

from hfgen.answers import error_of_answer
from hfgen.errors import HfgenError, ModelNotSupportedError, ResponseError, ServerError, SessionClosed
from hfgen.limits import Limits
from hfgen.redaction import conceal
from hfgen.transport.connections import Connections, load, tls
from hfgen.transport.course import COURSE, Course
from hfgen.transport.failures import died_unanswered, failure
from hfgen.transport.fetching import LONGEST, Resolve, Way, bounded, checked, impatient, resolve, unfetched
from hfgen.transport.proxies import checked_proxy, is_socks, proxy_for
from hfgen.transport.reading import HttpAnswer, ask_for_less, error_body
from hfgen.transport.redirects import redirect
from hfgen.transport.silence import HeadWait
from hfgen.wire import Body, Head, Heard, Target, WireRequest, origin_of

if TYPE_CHECKING:
    import aiohttp

_MOST_REDIRECTS: Final = 3
_MOST_STALE: Final = 3
_LARGEST_BODY: Final = 64 * 2**20

if TYPE_CHECKING:
    _Door: TypeAlias = "Callable[[str], Awaitable[tuple[aiohttp.ClientSession, str | None]]]"
    _Send: TypeAlias = "Callable[[WireRequest, Target, HeadWait], Awaitable[aiohttp.ClientResponse]]"


class Session:
    """Connections that many calls share; `async with Session() as session:`, or `close()` it.

    A session belongs to the event loop that first uses it, until it is closed.

    Args:
        proxy: URL of an HTTP or SOCKS proxy for every request; else the usual environment variables decide.
        resolver: Finds the addresses of the hosts that pictures are fetched from.
        heard: Told of the head of each answer, errors too, in the task that asked; it tells a server's limits.

    Raises:
        UsageError: `proxy` is no URL of a proxy.
    """

    def __init__(self, *, proxy: str | None = None, resolver: Resolve = resolve, heard: Heard | None = None) -> None:
        self._listening: tuple[Heard, ...] = () if heard is None else (heard,)
        self._resolver = resolver
        self._proxy = checked_proxy(proxy)
        self._connections = Connections()
        self._waits: set[HeadWait | HttpAnswer] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection and end every answer under way; using the session again opens it anew."""
        for wait in tuple(self._waits):
            wait.give_up(SessionClosed("the session was closed while the answer was on its way"))
        self._waits.clear()
        await self._connections.close()

    @contextmanager
    def telling(self, heard: Heard) -> Generator[None]:
        """Have one more told of the heads of all answers, as `heard` is, for as long as the context lasts."""
        self._listening = (*self._listening, heard)
        try:
            yield
        finally:
            self._listening = tuple(each for each in self._listening if each is not heard)

    def open(self, request: WireRequest, target: Target, limits: Limits) -> AbstractAsyncContextManager[HttpAnswer]:
        """Send a request and hand its answer over once its head has come.

        Leaving the context closes the connection at once, unless the answer was read to its end.

        Raises:
            ConnectionFailed: No connection, or it broke before the head.
            TimedOut: No connection or no head within the limits.
            HfgenError: The answer is an error, by its status.
        """
        return _Opening(request, target, limits, partial(self._send, door=self._door), self._waits)

    async def download(self, url: str, target: Target, limits: Limits, most: int, longest: float = LONGEST) -> bytes:
        """What lies at an address that came over the wire; see `fetching` for where it may lie.

        Args:
            url: The address.
            target: Who named it.
            limits: Of silence.
            most: Bytes.
            longest: Seconds for all of it.

        Raises:
            BadPicture: Nothing may be fetched there, or it is too large.
            ServerError: The host answers with an error.
            HfgenError: As `open`.
        """
        host = checked(url)[0]
        request = WireRequest(url, method="GET", headers={"Accept": "image/*"})
        there = replace(target, label=host)
        way = Way(target, self._proxy, self._connections, self._resolver)
        try:
            async with (
                asyncio.timeout(longest),
                way,
                _Opening(
                    request, there, impatient(limits), partial(self._send, door=way.client), self._waits
                ) as answer,
            ):
                return await bounded(answer, most)
        except (TimeoutError, ResponseError, ModelNotSupportedError) as error:
            failed = unfetched(error, host, longest)
            if failed is error:
                raise
            raise failed from error

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

    async def _send(
        self, request: WireRequest, target: Target, wait: HeadWait, door: "_Door"
    ) -> "aiohttp.ClientResponse":
        """Send, and follow the few redirects that are safe to follow."""
        url, status = request.url, 0
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._send_to(url, request, target, wait, door)
            where = redirect(response, request)
            if where is None:
                _tell(self._listening, url, target, response)
                return response
            url, status = where, response.status
            _leave(response)
        raise ServerError(
            f"{target.name} redirects in a circle", hint="Give the final address as api_base.", status=status
        )

    async def _send_to(
        self, url: str, request: WireRequest, target: Target, wait: HeadWait, door: "_Door"
    ) -> "aiohttp.ClientResponse":
        """Send once, and again at once where a kept connection turns out to have been closed by the server meanwhile.

        Such a request was never worked on (RFC 9112, 9.3.1), so it is no attempt that anybody need count.
        """
        for remaining in range(_MOST_STALE, -1, -1):
            course = Course(wait)
            sending = COURSE.set(course)
            wait.connecting()
            try:
                client, proxy = await door(url)
                return await client.request(
                    request.method,
                    url,
                    data=request.body,
                    headers=_headers(url, request, target),
                    allow_redirects=False,
                    proxy=None if proxy is None or is_socks(proxy) else proxy,
                    ssl=tls() if url.startswith("https:") else True,
                )
            except HfgenError:
                raise
            except Exception as error:  # noqa: BLE001 - no foreign exception passes
                if remaining and course.stale and died_unanswered(error):
                    continue
                reason = failure(error, target.name)
            finally:
                COURSE.reset(sending)
            raise reason
        raise AssertionError  # the last round returns or raises

    async def _door(self, url: str) -> "tuple[aiohttp.ClientSession, str | None]":
        proxy = self._proxy or proxy_for(url)
        return await self._connections.client(proxy), proxy


class _Opening:
    """A request under way, and then its answer; as a generator it would cost each call some more microseconds.

    Args:
        request: What is sent.
        target: Where to.
        limits: How long its head may take, and each silence after.
        send: Sends it.
        waits: What is waited for meanwhile, where a session that is closed finds it.
    """

    def __init__(
        self, request: WireRequest, target: Target, limits: Limits, send: "_Send", waits: set[HeadWait | HttpAnswer]
    ) -> None:
        self._request = request
        self._target = target
        self._limits = limits
        self._send = send
        self._waits = waits

    async def __aenter__(self) -> HttpAnswer:
        request, target, limits = self._request, self._target, self._limits
        load(secure=request.url.startswith("https:"))
        wait = HeadWait(target.name, limits)
        self._waits.add(wait)
        try:
            async with wait:
                if request.delay:
                    await asyncio.sleep(request.delay)
                wait.begin()
                self._response = await self._send(request, target, wait)
        finally:
            self._waits.discard(wait)
        try:
            if not 200 <= self._response.status < 300:  # noqa: PLR2004 - whatever is no success, unfollowed redirects too
                raise await _refused(self._response)
            ask_for_less(self._response)
            self._answer = HttpAnswer(self._response, limits, target.name, wait.since, request.largest)
        except BaseException:
            _leave(self._response)
            raise
        self._waits.add(self._answer)
        return self._answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waits.discard(self._answer)
        self._answer.close()
        _leave(self._response)


def _headers(url: str, request: WireRequest, target: Target) -> dict[str, str]:
    """What belongs to an origin stays there."""
    if origin_of(url) != target.origin:
        return {name: value for name, value in request.headers.items() if name.lower() == "accept"}
    headers = {**target.headers, **request.headers}
    if target.token:
        conceal(target.token)
        headers["Authorization"] = f"Bearer {target.token}"
    return headers


def _tell(listening: tuple[Heard, ...], url: str, target: Target, response: "aiohttp.ClientResponse") -> None:
    if not listening:
        return
    head = Head(origin_of(url), target.model, response.status, response.headers)
    try:
        for heard in listening:
            heard(head)
    except BaseException:
        _leave(response)
        raise


async def _refused(response: "aiohttp.ClientResponse") -> HfgenError:
    body = await error_body(response)
    headers: Mapping[str, str] = response.headers
    try:
        return error_of_answer(response.status, headers, body, url=str(response.url))
    except ValueError:  # an address in `Location` that is none
        return ServerError("the server redirects to nowhere", status=response.status)


def _leave(response: "aiohttp.ClientResponse") -> None:
    """Close the connection now, unless the body was read to its end and the connection is back in the pool."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()  # over TLS `close` would wait for the other side's farewell
    response.close()
