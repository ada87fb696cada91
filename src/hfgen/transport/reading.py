"""Reading an answer: what has arrived is taken at once, and silence is timed."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from hfgen.errors import HfgenError, ServerError
from hfgen.limits import Limits
from hfgen.transport.coding import PIECE, SMALL_PIECE, Identity, coding
from hfgen.transport.failures import failure
from hfgen.transport.silence import Silence
from hfgen.transport.sse import EventDecoder, looks_like_events
from hfgen.wire import Body, Frame

if TYPE_CHECKING:
    import aiohttp

_LARGEST_ERROR: Final = 64 * 2**10
_BLOCK: Final = 2**20  # of this many bytes and more, joining would hold up the event loop for milliseconds
_MANY: Final = 2**12
_PATIENCE: Final = 10.0  # seconds for the words of an error: its status alone is an answer
_RECV: Final = 2**16
_ID_HEADERS: Final = ("x-request-id", "inference-id", "x-amzn-requestid")


class TooLarge(ServerError):
    """A body beyond the size that was allowed; it would be no smaller the next time."""

    def __init__(self, most: int) -> None:
        super().__init__(f"the body is larger than {most} bytes: it is not read", status=413)


class HttpAnswer:
    """An answer whose head was a success; see `wire.Answer`.

    What kind of body it is its first bytes decide as much as its header: servers and proxies mislabel both ways.
    """

    def __init__(
        self, response: "aiohttp.ClientResponse", limits: Limits, name: str, since: float, largest: int
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self._incoming = Incoming(response, limits, name, since)
        self._largest = largest
        self._decoder: EventDecoder | None = None
        self._ended = False

    @property
    def request_id(self) -> str:
        """The server's own name for the request, "" where it gives none."""
        return next((self.headers[name] for name in _ID_HEADERS if name in self.headers), "")

    @property
    def over(self) -> bool:
        """Whether the whole body has come, so that its connection is free."""
        return self._incoming.over

    async def read(self) -> Sequence[Frame]:
        """The frames that have arrived, at least one; none at the end of the body.

        Raises:
            ConnectionFailed: The body broke off before its end.
            TimedOut: Silence beyond the limits.
            ServerError: An event or a body beyond every sensible size.
        """
        if self._ended:
            return ()
        silence = self._incoming.silence
        silence.begin()
        try:
            decoder = self._decoder
            if decoder is None:
                return await self._begin()
            while chunk := await self._incoming.chunk():
                if frames := decoder.feed(chunk):
                    self._incoming.coding.piece = PIECE
                    return frames
                silence.bare()
                self._incoming.coding.piece = SMALL_PIECE
                await asyncio.sleep(0)  # more may be there already: others have their turn in between
        finally:
            silence.end()
        self._ended = True
        return ()

    async def _begin(self) -> Sequence[Frame]:
        """The first frames: look what the body is."""
        declared = self.media_type == "text/event-stream"
        head, events = b"", None
        while events is None and (chunk := await self._incoming.chunk()):
            self._incoming.silence.bare()
            head = _without_blank_lines(head + chunk)
            events = looks_like_events(head, declared=declared)
        if events or (events is None and declared):
            self._decoder = EventDecoder()
            return self._decoder.feed(head) or await self.read()
        self._ended = True
        media_type = self.media_type
        if declared:
            media_type = "text/html" if head.lstrip()[:1] == b"<" else "application/json"
        return (Body(media_type, await self._incoming.whole(self._largest, head)),)

    def bare(self) -> None:
        """What was read last held nothing: it counts as a comment does."""
        self._incoming.silence.resume()

    async def whole(self, most: int) -> bytes:
        """The whole body, of at most `most` bytes."""
        return await self._incoming.whole(most)

    def give_up(self, reason: HfgenError) -> None:
        """End whatever is read with an error."""
        self._incoming.give_up(reason)

    def close(self) -> None:
        """No more reading: the timer goes."""
        self._incoming.silence.close()


def _without_blank_lines(head: bytes) -> bytes:
    """One line end for the many that a body begins with: no reader makes more of them, and they may come for long."""
    if len(head) < _MANY:
        return head
    text = head.lstrip(b"\r\n")
    return head if len(text) == len(head) else b"\n" + text


class Incoming:
    """The bytes of a body as they come: undone where compressed, and every failure in our own words.

    Attributes:
        silence: Times it.
        coding: What undoes a compression, and cuts into pieces.
    """

    def __init__(self, response: "aiohttp.ClientResponse", limits: Limits, name: str, since: float) -> None:
        self.silence = Silence(response.content, limits, since)
        self._content = response.content
        self._name = name
        self.coding = coding(response.headers.get("Content-Encoding", ""))
        self._plain = isinstance(self.coding, Identity)
        self._pieces: Iterator[bytes] = iter(())

    @property
    def over(self) -> bool:
        """Whether all of them have come."""
        return self._content.at_eof()

    async def chunk(self) -> bytes:
        """What has come, in a bounded piece; b"" at the end."""
        if piece := next(self._pieces, b""):
            await asyncio.sleep(0)  # of a large chunk: others have their turn in between
            return piece
        while True:
            chunk, broken = b"", None
            try:
                chunk = await self._content.readany()
            except Exception as error:  # noqa: BLE001 - no foreign exception passes
                broken = error
            if broken is not None:
                chunk = self._before(broken)
            if not chunk:
                self.coding.end()
                return b""
            if self._plain and len(chunk) <= self.coding.piece:  # nearly always
                return chunk
            self._pieces = self.coding.pieces(chunk)
            if piece := next(self._pieces, b""):
                return piece

    async def whole(self, most: int, begun: bytes = b"") -> bytes:
        """All that comes, of at most `most` bytes.

        Raises:
            ServerError: It is larger.
        """
        data, done, length = bytearray(begun), list[bytes](), len(begun)
        self.coding.piece = PIECE
        self.silence.begin()
        try:
            while chunk := await self.chunk():
                data += chunk
                length += len(chunk)
                if len(data) >= _BLOCK:
                    done.append(bytes(data))
                    data.clear()
                if length > most:
                    data.clear()  # the error's traceback would keep them for as long as it lives
                    done.clear()
                    raise TooLarge(most)
                if chunk.isspace():  # what servers send to keep a connection open while they work
                    self.silence.bare()
                else:
                    self.silence.end()
                    self.silence.begin()
        finally:
            self.silence.end()
        if not done:
            return bytes(data)
        return await asyncio.to_thread(b"".join, [*done, bytes(data)])  # without the interpreter's lock

    def give_up(self, reason: HfgenError) -> None:
        """End the wait for bytes with an error."""
        self._content.set_exception(reason)

    def _before(self, error: Exception) -> bytes:
        """What came before the error, which is raised where nothing did."""
        if held := self._held():
            return held
        raise error if isinstance(error, HfgenError) else failure(error, self._name)

    def _held(self) -> bytes:
        """What came before the connection broke: aiohttp would raise first, and the text would be lost."""
        content, broken = self._content, self._content.exception()
        if broken is None:
            return b""
        content.set_exception(cast("Exception", None))
        try:
            return content.read_nowait()
        finally:
            content.set_exception(broken)


async def error_body(response: "aiohttp.ClientResponse") -> bytes:
    """What of an error's body comes in time, of a sensible size."""
    data = bytearray()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_PATIENCE):
            incoming = Incoming(response, Limits(first_token=None, idle=None), "", 0.0)
            while len(data) < _LARGEST_ERROR and (chunk := await incoming.chunk()):
                data += chunk
    return bytes(data[:_LARGEST_ERROR])


def ask_for_less(response: "aiohttp.ClientResponse") -> None:
    """64 KiB for each `recv` in place of 256: the larger buffer is mapped anew each time, some 14 µs a paced token.

    And let the body's buffer ask for more once it is empty, not at each HTTP chunk, hence token, that is taken from it:
    that costs 2 µs each, and all that is held is taken at once. Neither attribute is a documented one: a transport
    without it (TLS, uvloop) is left as it is.
    """
    transport: Any = response.connection.transport if response.connection is not None else None
    if hasattr(transport, "max_size"):
        transport.max_size = _RECV
    content: Any = response.content
    if hasattr(content, "_low_water"):
        content._low_water = 1  # noqa: SLF001
