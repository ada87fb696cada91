"""A server on loopback that speaks exactly the bytes that a test gives it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Talk = Callable[["Visit"], Awaitable[None]]
_STEP = 5  # ms


@dataclass
class Visit:
    """One request as it came, and the line to answer on."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.writer.write(chunk)
            await self.writer.drain()

    async def answer(self, body: bytes, kind: str = "application/json", status: str = "200 OK", more: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        await self.say(head.encode() + body)

    async def begin_stream(self, more: str = "") -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        await self.say(f"{head}{more}\r\n".encode())

    async def event(self, data: str) -> None:
        raw = f"data: {data}\n\n".encode()
        await self.say(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")

    async def end_stream(self) -> None:
        await self.say(b"0\r\n\r\n")

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass


@dataclass
class Server:
    """Where it listens, and who came."""

    port: int
    scheme: str = "http"
    visits: list[Visit] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(talk: Talk, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve every request with `talk`, connections kept alive; all of them end with the context."""
    tasks: set[asyncio.Task[None]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while visit := await _read(reader, writer):
                server.visits.append(visit)
                await talk(visit)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(connection(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(lambda _: writer.close())  # also where it was cancelled before it began

    listener = await asyncio.start_server(accept, "127.0.0.1", port, ssl=tls)
    server = Server(listener.sockets[0].getsockname()[1], "https" if tls else "http")
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # a closed transport lets its socket go in the loop's next round


async def soon(event: asyncio.Event, milliseconds: int) -> None:
    """Wait for it within so much of this loop's time: where the machine lets the process wait, that costs one step.

    Raises:
        TimeoutError: It did not come.
    """
    for _ in range(milliseconds // _STEP):
        with suppress(TimeoutError):
            async with asyncio.timeout(_STEP / 1000):
                await event.wait()
                return
    raise TimeoutError(f"not within {milliseconds} ms")


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Visit | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Visit(method, path, headers, body, reader, writer)
