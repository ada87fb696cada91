"""Callers that cost next to nothing: raw sockets that count `data:`; every figure of one turn before one proxy."""

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

END = b"0\r\n\r\n"


@dataclass
class Caller:
    """Asks one address again and again, over connections that are kept."""

    port: int
    path: str
    model: str
    key: str = ""
    kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    def request(self) -> bytes:
        said: dict[str, Any] = {"model": self.model, "stream": True, "messages": [{"role": "user", "content": "x"}]}
        body = json.dumps(said).encode()
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
        return f"{head}Authorization: Bearer {self.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    async def ask(self) -> AsyncIterator[int]:
        """How many events came, each time that some did."""
        reader, writer = self.kept.pop() if self.kept else await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(self.request())
        tail, status = b"", b""
        while not tail.endswith(END):
            data = await reader.read(65536)
            status = status or data[:12]
            if not data or not status.endswith(b"200"):
                raise RuntimeError(f"no stream: {(tail + data)[:300]!r}")
            seen = (tail + data).count(b"data:") - tail.count(b"data:")
            tail = (tail + data)[-6:]
            yield seen
        self.kept.append((reader, writer))

    async def whole(self) -> int:
        return sum([seen async for seen in self.ask()])

    def close(self) -> None:
        for _, writer in self.kept:
            writer.close()


async def streams(caller: Caller, count: int, cpu: Callable[[], float]) -> dict[str, float]:
    """So many streams at once: the CPU that the proxy took, and the events that came."""
    await caller.whole()
    before = cpu()
    events = await asyncio.gather(*(caller.whole() for _ in range(count)))
    return {"cpu": cpu() - before, "least": min(events), "most": max(events)}


async def requests(caller: Caller, at_once: int, seconds: float, cpu: Callable[[], float]) -> dict[str, float]:
    """Short answers, one after another on each of so many connections."""
    await asyncio.gather(*(caller.whole() for _ in range(at_once)))
    before, began, done = cpu(), time.monotonic(), 0

    async def again() -> None:
        nonlocal done
        while time.monotonic() - began < seconds:
            await caller.whole()
            done += 1

    await asyncio.gather(*(again() for _ in range(at_once)))
    took = time.monotonic() - began
    return {"rate": done / took, "ms": 1000 * (cpu() - before) / done}


async def first(caller: Caller, times: int) -> dict[str, float]:
    """Milliseconds to the first event, over a kept connection."""
    seen = []
    for _ in range(times):
        began, late = time.perf_counter(), 0.0
        async for events in caller.ask():
            if events and not late:
                late = time.perf_counter() - began
        seen.append(1000 * late)
    return {"median": statistics.median(seen[times // 10 :])}


async def held(caller: Caller, count: int, memory: Callable[[], float]) -> dict[str, float]:
    """MiB that so many open streams add, once each has had its first event; they are left before their end."""
    before, begun, all_begun = memory(), 0, asyncio.Event()

    async def hold() -> None:
        nonlocal begun
        async for events in caller.ask():
            if events:
                begun += 1
                break
        if begun == count:
            all_begun.set()
        await left.wait()

    left = asyncio.Event()
    tasks = [asyncio.create_task(hold()) for _ in range(count)]
    failed = [task async for task in _failing(tasks, all_begun)]
    added = memory() - before
    left.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    if failed:
        raise RuntimeError(f"{begun} of {count} began; {failed[0].exception()}")
    return {"mib": added}


async def _failing(tasks: list["asyncio.Task[None]"], all_begun: asyncio.Event) -> AsyncIterator["asyncio.Task[None]"]:
    waiting = asyncio.create_task(all_begun.wait())
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in tasks:
        if task in done:
            yield task
