"""Stands between hfgen and the server, passes every byte on as it is, and keeps the exchanges that it is told to."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Exchange:
    """One request and its answer, as they went over the wire; an answer that nobody waited for is empty."""

    request: bytes
    answer: bytes = b""
    seconds: float = 0.0

    @property
    def asks(self) -> bool:
        """Whether it asks for work, and is no probe."""
        return self.request.startswith(b"POST")

    def __str__(self) -> str:
        asked, answered = self.request.partition(b"\r\n")[0].decode(), self.answer.partition(b"\r\n")[0].decode()
        body = self.request.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")
        kind = header(self.answer, b"content-type").decode()
        size = len(self.answer.partition(b"\r\n\r\n")[2])
        said = f"{answered}, {kind}, {size} bytes" if answered else "nothing: the client left"
        return f"{asked} {body}\n        -> {said}, {self.seconds:.2f} s"


@dataclass
class Recorder:
    """Listens on `port`; `exchanges` holds what has passed since the last `clear`."""

    upstream: int
    folder: Path | None
    port: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    kept: set[bytes] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def keep(self, name: str) -> None:
        """Write what is new of it into files: `name.request.http`, `name.answer.http`; numbered from the second on."""
        for number, exchange in enumerate(self.exchanges, 1):
            if self.folder is not None and exchange.answer and exchange.request not in self.kept:
                self.kept.add(exchange.request)
                stem = name if number == 1 else f"{name}_{number}"
                (self.folder / f"{stem}.request.http").write_bytes(exchange.request)
                (self.folder / f"{stem}.answer.http").write_bytes(exchange.answer)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: the server sees it end when the client ends it."""
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            while request := await _message(reader):
                exchange = Exchange(request)
                self.exchanges.append(exchange)
                began = time.perf_counter()
                inner_writer.write(request)
                left = asyncio.ensure_future(reader.read(1))  # a client sends nothing more before it has its answer
                answering = asyncio.ensure_future(_message(inner_reader))
                await asyncio.wait((left, answering), return_when=asyncio.FIRST_COMPLETED)
                exchange.seconds = time.perf_counter() - began
                left.cancel()
                await asyncio.wait((left,))
                if not answering.done():
                    answering.cancel()
                    return
                exchange.answer = answering.result()
                writer.write(exchange.answer)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            inner_writer.close()
            writer.close()


@asynccontextmanager
async def recording(upstream: int, folder: Path | None) -> AsyncIterator[Recorder]:
    recorder = Recorder(upstream, folder)
    listener = await asyncio.start_server(recorder.pass_on, "127.0.0.1", 0)
    recorder.port = listener.sockets[0].getsockname()[1]
    try:
        yield recorder
    finally:
        listener.close()


def header(message: bytes, name: bytes) -> bytes:
    lines = message.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    pairs = (line.partition(b":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip().lower() == name), b"")


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A head and the body whose length it gives; the toolkit never sends chunks."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    return head + await reader.readexactly(int(header(head, b"content-length") or 0))
