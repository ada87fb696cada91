"""What one process does in its turn: one client, one measure, one line of JSON.

python benchmarks/turns.py MEASURE CLIENT[+uvloop] PORT API …
"""

import asyncio
import contextlib
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import chain
from pathlib import Path

from clients import CLIENTS, Ask

LATE = 0.1  # seconds after its time
PAGE = os.sysconf("SC_PAGE_SIZE")


async def tokens_of(ask: Ask, address: str) -> int:
    return sum([int(seen) async for seen in ask(address)])


async def cost(ask: Ask, root: str, streams: int, tokens: int, pace: int) -> dict[str, float]:
    """CPU time for each token; a short stream before pays for imports and for what is made once."""
    await tokens_of(ask, f"{root}/20/0")
    began, cpu = time.monotonic(), time.process_time()
    seen = sum(await asyncio.gather(*(tokens_of(ask, f"{root}/{tokens}/{pace}") for _ in range(streams))))
    cpu = time.process_time() - cpu
    return {"tokens": seen, "us": 1e6 * cpu / seen, "busy": cpu / (time.monotonic() - began)}


async def first(ask: Ask, root: str, calls: int) -> dict[str, float]:
    """Milliseconds to the first token over a kept connection."""
    times: list[float] = []
    for _ in range(calls + 1):
        began, seen = time.perf_counter(), 0
        async for tokens in ask(f"{root}/2/1"):
            if not seen:
                times.append(time.perf_counter() - began)
            seen += int(tokens)
    return {"warm": 1000 * statistics.median(times[1:]), "first of all": 1000 * times[0]}


async def cold(ask: Ask, root: str) -> dict[str, float]:
    """Milliseconds to the first token of a client that is made for it, in a process that has made one before."""
    await tokens_of(ask, f"{root}/2/1")
    async with contextlib.AsyncExitStack() as stack:
        began = time.perf_counter()
        other = await stack.enter_async_context(CLIENTS[sys.argv[2]]())
        await anext(other(f"{root}/2/1"))
        return {"cold": 1000 * (time.perf_counter() - began)}


async def memory(ask: Ask, root: str, streams: int) -> dict[str, float]:
    """KiB for each stream that is open and has had its first token."""

    async def opened(count: int) -> list[AsyncIterator[int]]:
        streams = [ask(f"{root}/1000/3600000") for _ in range(count)]
        for start in range(0, count, 50):
            await asyncio.gather(*(anext(stream) for stream in streams[start : start + 50]))
        return streams

    held = await opened(20)  # pays for what is made once
    before = resident()
    held += await opened(streams - len(held))
    return {"streams": streams, "kib": (resident() - before) / 1024 / (streams - 20), "mib": resident() / 2**20}


async def growth(ask: Ask, root: str, streams: int) -> dict[str, float]:
    """KiB that each finished stream leaves behind; the first fifth may still fill caches."""
    for _ in range(streams // 5):
        await tokens_of(ask, f"{root}/5/0")
    before = resident()
    for _ in range(streams - streams // 5):
        await tokens_of(ask, f"{root}/5/0")
    return {"streams": streams, "kib": (resident() - before) / 1024 / (streams - streams // 5)}


async def in_time(ask: Ask, root: str, streams: int, tokens: int) -> dict[str, float]:
    """Tokens at 50 a second that come too late, of 100; the last half of each stream, when all have begun."""

    async def lateness() -> list[float]:
        began, late, seen = 0.0, [], 0
        async for count in ask(f"{root}/{tokens}/20"):
            now = time.monotonic()
            began = began or now
            seen += int(count)
            if seen > tokens // 2:
                late.append(now - began - 0.02 * (seen - 1))
        return late

    await tokens_of(ask, f"{root}/20/0")
    late = list(chain(*await asyncio.gather(*(lateness() for _ in range(streams)))))
    return {"streams": streams, "late": 100 * sum(one > LATE for one in late) / len(late)}


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


MEASURES: dict[str, Callable[..., Awaitable[dict[str, float]]]] = {
    "cost": cost,
    "first": first,
    "cold": cold,
    "memory": memory,
    "growth": growth,
    "in_time": in_time,
}


async def turn(measure: str, client: str, root: str, numbers: list[int]) -> None:
    async with CLIENTS[client]() as ask:
        print(json.dumps(await MEASURES[measure](ask, root, *numbers)), flush=True)
        os._exit(0)  # a thousand open streams need no farewell


def main() -> None:
    measure, named, port, api, *numbers = sys.argv[1:]
    client, _, loop = named.partition("+")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with contextlib.suppress(OSError):  # the server has the other core
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    work = turn(measure, client, f"http://127.0.0.1:{port}/{api}", [int(number) for number in numbers])
    if loop:
        import uvloop  # noqa: PLC0415 - where it is installed

        uvloop.run(work)
    else:
        asyncio.run(work)


if __name__ == "__main__":
    main()
