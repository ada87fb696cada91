"""The figures that are promised, each measured in a process of its own: `python -m faults.goals NAME`.

`resume` (G5, milliseconds from a reset to the request that goes on), `storm` (G6, requests a call when all fail),
`leaving` (G7, of 200), `memory` (G8, MiB that a hostile stream adds). The names stand beside the figures, as JSON.
"""

import asyncio
import contextlib
import gc
import json
import sys
import time
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from fault_server import FaultServer
from faults.scenes import leave, open_sockets
from hfgen import HfgenError, HuggingFaceInference, Session
from loopback import Server, Visit, serving

Figures = dict[str, float]


def _call(server: Server, place: str, **more: Any) -> dict[str, Any]:
    question = [{"role": "user", "content": "Story 1."}]
    return {"model": "m", "messages": question, "api_base": f"{server.url}/{place}", "temperature": 0, **more}


async def _outlive(**arguments: Any) -> int:
    """The characters that come before the end or an error of ours."""
    seen = 0
    with contextlib.suppress(HfgenError):
        async for event in HuggingFaceInference.create_async_generator(**arguments):
            seen += len(event) if isinstance(event, str) else 0
    return seen


async def resume() -> Figures:
    """Milliseconds between the reset and the next request, and beyond the limit for a silent stream."""
    times: list[float] = []
    faults = FaultServer()

    async def talk(visit: Visit) -> None:
        if visit.method == "POST":
            times.append(time.monotonic())
        try:
            await faults.talk(visit)
        except ConnectionError:
            times.append(time.monotonic())
            raise

    async with serving(talk) as server:
        await _outlive(**_call(server, "rst/vllm/1"))
        reset = 1000 * (times[2] - times[1]) if len(times) > 2 else float("inf")
        times.clear()
        await _outlive(**_call(server, "stall/vllm/1", idle_timeout=0.5))
        stall = 1000 * (times[-1] - times[0] - 0.5) if len(times) > 1 else float("inf")
    return {"after_reset_ms": reset, "after_silence_ms": stall}


async def storm() -> Figures:
    """Requests for each of fifty calls, one after another, while the server refuses all of them."""
    faults = FaultServer()
    async with serving(faults.talk) as server, Session() as session:
        calls = (_outlive(**_call(server, "always_s503/vllm/1", session=session)) for _ in range(50))
        await asyncio.gather(*calls)
    return {"requests_per_call": faults.log.total() / 50}


async def leaving() -> Figures:
    """Two hundred calls left in four ways; seen by the server within 250 ms, and what is left behind in us."""
    seen: dict[str, asyncio.Event] = {}

    async def talk(visit: Visit) -> None:
        if visit.method == "GET":
            await visit.answer(b"{}", status="404 Not Found")
            return
        await visit.begin_stream()
        for _ in range(5):
            await visit.event('{"choices":[{"index":0,"delta":{"content":"a"}}]}')
        await visit.gone()
        seen[visit.path.split("/")[1]].set()

    gc.disable()
    in_time, before = 0, open_sockets()
    async with serving(talk) as server, Session() as session:
        for number in range(200):
            seen[str(number)] = asyncio.Event()
            how = ("break", "aclose", "task", "timeout")[number % 4]
            arguments = _call(server, f"{number}/v1/chat/completions", session=session)
            await leave(arguments, how)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await seen[str(number)].wait()
                    in_time += 1
    await asyncio.sleep(0.1)
    tasks = len(asyncio.all_tasks()) - 1
    return {"seen_in_time": in_time, "sockets_left": open_sockets() - before, "tasks_left": tasks}


async def memory() -> Figures:
    """MiB added by a line without an end, a bomb that claims to be a stream, and a stream that nobody reads."""

    async def endless(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ")
        for _ in range(256):
            await visit.say(b"A" * 2**20)

    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b"\0" * 2**20) for _ in range(512)) + packer.flush()

    async def bomb(visit: Visit) -> None:
        await visit.answer(packed, "text/event-stream", more="Content-Encoding: gzip\r\n")

    async def firehose(visit: Visit) -> None:
        await visit.begin_stream()
        for _ in range(4000):
            await visit.event('{"choices":[{"index":0,"delta":{"content":"' + "b" * 16_000 + '"}}]}')

    # The hungriest last: what it leaves to the allocator would hide the others.
    talks = {"firehose_mib": firehose, "bomb_mib": bomb, "endless_line_mib": endless}
    return {name: await _growth(talk, name) for name, talk in talks.items()}


async def _growth(talk: Callable[[Visit], Awaitable[None]], name: str) -> float:
    async def guarded(visit: Visit) -> None:
        if visit.method == "GET":
            await visit.answer(b"{}", status="404 Not Found")
        else:
            await talk(visit)

    async with serving(FaultServer().talk) as server:
        await _outlive(**_call(server, "ok/vllm/1"))  # what is loaded once does not count
    async with serving(guarded) as server:
        before = _peak_kib(anew=True)
        answer = HuggingFaceInference.create_async_generator(**_call(server, name, total_timeout=30))
        with contextlib.suppress(HfgenError, StopAsyncIteration):
            await anext(answer)
            await asyncio.sleep(1.0)
        await answer.aclose()
    return (_peak_kib() - before) / 1024


def _peak_kib(*, anew: bool = False) -> int:
    """The most memory that this process has held since it was last counted anew (proc(5), clear_refs)."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


GOALS: Final[dict[str, Callable[[], Awaitable[Figures]]]] = {
    "resume": resume,
    "storm": storm,
    "leaving": leaving,
    "memory": memory,
}


async def _measured(name: str) -> Figures:
    return await GOALS[name]()


if __name__ == "__main__":
    for goal in sys.argv[1:] or GOALS:
        print(json.dumps({"goal": goal, **asyncio.run(_measured(goal))}))
