"""A stream of server-sent events to one caller, as a plain ASGI answer.

Whatever arrives while the last bytes are on their way is sent together; a caller that reads slowly slows the model
down instead of filling the memory; a caller that hangs up ends the answer at once.
"""

import asyncio
from typing import Final

from starlette.types import Receive, Send

STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold the stream back
]
KEEP_AWAKE: Final = b": \n\n"
_MOST_HELD: Final = 2**16  # bytes that wait for a slow reader before the model is made to wait too


class Outbox:
    """What is to be sent, and the one who sends it.

    Args:
        send: ASGI's.
        headers: Of the answer; the head goes out with the first bytes.
        silence: Seconds after which an SSE comment keeps proxies awake; the first of them sends the head, and what
            fails later is no longer a status but an event.
    """

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]], silence: float = 15.0) -> None:
        self._send = send
        self._headers = headers
        self._silence = silence
        self._held = bytearray()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = self._done = False
        self._sent_at = asyncio.get_running_loop().time()
        self._head_sent = False
        self.begun = False
        """Whether anything is on its way to the caller."""

    @property
    def full(self) -> bool:
        """Whether whoever puts more in has to wait for `room`."""
        return len(self._held) >= _MOST_HELD

    def put(self, data: bytes) -> None:
        """Add bytes to what is sent next."""
        self._held += data
        self.begun = True
        if not self._news.is_set():
            self._news.set()

    async def room(self) -> None:
        """Wait until the reader has taken what was held."""
        self._room.clear()
        await self._room.wait()

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._news.set()

    async def run(self) -> None:
        """Send until `end`; the head goes out with the first bytes."""
        self._watch()
        try:
            while not self._done:
                await self._news.wait()
                self._news.clear()
                await self._flush()
        finally:
            self._timer.cancel()

    def _watch(self) -> None:
        """Keep proxies awake where nothing was sent, with one timer a stream: one a token would cost too much."""
        loop = asyncio.get_running_loop()
        if (now := loop.time()) >= self._sent_at + self._silence:
            self._sent_at = now
            if not self._held:
                self.put(KEEP_AWAKE)
        self._timer = loop.call_at(self._sent_at + self._silence, self._watch)

    async def _flush(self) -> None:
        """Send all that is held."""
        held, self._held = bytes(self._held), bytearray()
        self._room.set()
        if not self._head_sent:
            self._head_sent = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
        if held:
            await self._body(held)
            self._sent_at = asyncio.get_running_loop().time()
        if self._ended and not self._held:
            self._done = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def break_off(self, data: bytes) -> None:
        """Send these last bytes, once `run` was cancelled; nothing where no head was sent: then it can be a status."""
        if self._head_sent:
            await self._body(data)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


async def hung_up(receive: Receive) -> None:
    """Return when the caller has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
