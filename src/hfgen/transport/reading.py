"""Reading an answer: what has arrived is taken at once, and silence is timed by one coarse timer."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hfgen.errors import HfgenError, ServerError, TimedOut
from hfgen.limits import Limits
from hfgen.transport.failures import failure
from hfgen.transport.sse import EventDecoder
from hfgen.wire import Body, Frame

if TYPE_CHECKING:
    import aiohttp

_LARGEST_BODY: Final = 64 * 2**20
_ID_HEADERS: Final = ("x-request-id", "inference-id", "x-amzn-requestid")


class HttpAnswer:
    """An answer whose head was a success; see `wire.Answer`."""

    def __init__(self, response: "aiohttp.ClientResponse", limits: Limits) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.request_id = next((response.headers[name] for name in _ID_HEADERS if name in response.headers), "")
        self.media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self._content = response.content
        self._name = response.url.host or "the server"
        self._decoder = EventDecoder() if self.media_type == "text/event-stream" else None
        self._silence = Silence(response, limits)
        self._ended = False
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("", "identity"):
            raise ServerError(f"{self._name} answers in the coding {encoding!r}, which was not asked for")

    async def read(self) -> Sequence[Frame]:
        """The frames that have arrived, at least one; none at the end of the body.

        Raises:
            ConnectionFailed: The body broke off before its end.
            TimedOut: Silence beyond the limits.
            ServerError: An event or a body beyond every sensible size.
        """
        if self._ended:
            return ()
        if self._decoder is None:
            self._ended = True
            return (Body(self.media_type, await self.whole(_LARGEST_BODY)),)
        self._silence.begin()
        try:
            while chunk := await self._content.readany():
                if frames := self._decoder.feed(chunk):
                    return frames
                self._silence.bare()
        except HfgenError:
            raise
        except Exception as error:
            raise failure(error, self._name) from error
        finally:
            self._silence.end()
        self._ended = True
        return ()

    def close(self) -> None:
        """No more reading: the timer goes."""
        self._silence.close()

    async def whole(self, most: int) -> bytes:
        """The whole body, of at most `most` bytes."""
        self._silence.begin()
        try:
            return await read_bounded(self._content, most)
        except HfgenError:
            raise
        except Exception as error:
            raise failure(error, self._name) from error
        finally:
            self._silence.end()


async def read_bounded(content: "aiohttp.StreamReader", most: int, *, cut: bool = False) -> bytes:
    """All of a body; one beyond `most` bytes is cut there, or refused.

    Raises:
        ServerError: The body is larger and `cut` was not asked for.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := await content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            if cut:
                return b"".join(chunks)[:most]
            raise ServerError(f"the body is larger than {most} bytes: it is not read")
    return b"".join(chunks)


class Silence:
    """Raises `TimedOut` in a reader that has waited too long, by one timer that is set again only when it fires.

    Bytes that hold no frame (comments) prolong the wait, but to no more than twice the limit: a server that pings for
    ever and says nothing is silent too.
    """

    def __init__(self, response: "aiohttp.ClientResponse", limits: Limits) -> None:
        self._response = response
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._first = True
        self._waiting = False
        self._since = self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """A wait for a frame begins."""
        limit = self._limit
        if limit is not None:
            self._since = self._heard = self._loop.time()
            self._waiting = True
            due = self._since + limit
            if self._timer is not None and self._timer.when() > due:  # it was set for a longer limit
                self.close()
            if self._timer is None:
                self._timer = self._loop.call_at(due, self._fire)

    def bare(self) -> None:
        """Bytes came, and no frame in them."""
        if self._waiting:
            self._heard = self._loop.time()

    def end(self) -> None:
        """The wait is over."""
        self._waiting = self._first = False

    def close(self) -> None:
        """Nothing is waited for any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _limit(self) -> float | None:
        return self._limits.first_token if self._first else self._limits.idle

    def _fire(self) -> None:
        self._timer = None
        limit = self._limit
        if limit is None or self._response.content.is_eof() or self._response.closed:
            return
        now = self._loop.time()
        due = min(self._heard + limit, self._since + 2 * limit) if self._waiting else now + limit
        if due > now + 0.001:
            self._timer = self._loop.call_later(due - now, self._fire)
            return
        what = "begin its answer" if self._first else "go on with its answer"
        option = "first_token_timeout" if self._first else "idle_timeout"
        self._response.content.set_exception(
            TimedOut(f"the server did not {what} within {limit:g} s", hint=f"Allow more with {option}= or timeout=.")
        )
