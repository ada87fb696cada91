"""A stream of server-sent events to one caller, as a plain ASGI answer.

What came together goes out together; a caller that reads slowly slows the model down instead of filling the memory.
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


class Outbox:
    """Sends what it is given at once; it holds nothing back, so whoever sends waits for the caller to take it.

    Args:
        send: ASGI's; it waits while more than some 64 KiB are on their way to a caller that does not read.
        headers: Of the answer; the head goes out with the first bytes.
        silence: Seconds after which an SSE comment keeps proxies awake; the first of them sends the head, and what
            fails later is no longer a status but an event.
    """

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]], silence: float = 15.0) -> None:
        self._send = send
        self._headers = headers
        self._silence = silence
        self._turn = asyncio.Lock()  # several answers may share one outbox, and the comments come in between
        self._loop = asyncio.get_running_loop()
        self._sent_at = self._loop.time()
        self._comment: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(silence, self._watch)
        self.begun = False
        """Whether anything is on its way to the caller."""

    async def send(self, data: bytes) -> None:
        """Send these bytes."""
        async with self._turn:
            await self._message(data, more=True)

    async def end(self, data: bytes) -> None:
        """Send these last bytes."""
        async with self._turn:
            self._timer.cancel()
            await self._message(data, more=False)

    async def break_off(self, data: bytes) -> None:
        """Send these last bytes where some were sent before; else nothing, as then it can still be a status."""
        if self.begun:
            await self.end(data)

    async def close(self) -> None:
        """Nothing more is sent."""
        self._timer.cancel()
        if self._comment is not None:
            self._comment.cancel()
            await asyncio.gather(self._comment, return_exceptions=True)

    async def _message(self, data: bytes, *, more: bool) -> None:
        if not self.begun:
            self.begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
        self._sent_at = self._loop.time()

    def _watch(self) -> None:
        """Keep proxies awake where nothing was sent, with one timer a stream: one a token would cost too much."""
        now = self._loop.time()
        if now >= self._sent_at + self._silence:
            self._sent_at = now
            if not self._turn.locked():  # else the caller has yet to read what is on its way
                self._comment = self._loop.create_task(self.send(KEEP_AWAKE))
        self._timer = self._loop.call_at(self._sent_at + self._silence, self._watch)


async def hung_up(receive: Receive) -> None:
    """Return when the caller has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
