"""The figures that are promised, each measured in a process of its own: `python -m faults.goals [NAME …]`.

`resume` (G5: milliseconds until the request that goes on), `storm` (G6: requests a call when all fail), `leaving` (G7:
of 200 calls), `memory` (G8: MiB and milliseconds that a hostile answer costs). The figures come as JSON.
"""

import asyncio
import contextlib
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from statistics import median
from typing import Any, Final, NamedTuple, Self

from fault_server import FaultServer
from faults.burden import Burden
from faults.hostile import FIREHOSES, TALKS
from faults.scenes import leave, open_sockets
from hfgen import HfgenError, HuggingFaceInference, Session
from loopback import Visit, serving

Figures = dict[str, float]

_SILENCE: Final = 0.1  # seconds
_WAYS: Final = ("break", "aclose", "task", "timeout")


def _call(root: str, place: str, **more: Any) -> dict[str, Any]:
    question = [{"role": "user", "content": "Story 1."}]
    return {"model": "m", "messages": question, "api_base": f"{root}/{place}", "temperature": 0, **more}


async def _outlive(**arguments: Any) -> str:
    """What a call ends with: `whole`, or the name of an error of ours."""
    try:
        async for _ in HuggingFaceInference.create_async_generator(**arguments):
            pass
    except HfgenError as error:
        return type(error).__name__
    return "whole"


class Moment(NamedTuple):
    """On the machine's clock, and on this thread's, which stands while other processes have the core."""

    clock: float
    work: float

    @classmethod
    def now(cls) -> Self:
        return cls(time.monotonic(), time.thread_time())

    def since(self, other: "Moment") -> "Moment":
        return Moment(1000 * (self.clock - other.clock), 1000 * (self.work - other.work))


async def resume() -> Figures:
    """Milliseconds between the end of a connection and the next request; beyond the limit for a silent one.

    `work` is the processor time of client and server in between: what is beyond it in the worst case is the machine's.
    """
    asked: list[Moment] = []
    ended: list[Moment] = []
    faults = FaultServer()

    async def talk(visit: Visit) -> None:
        if visit.method == "POST":
            asked.append(Moment.now())
        try:
            await faults.talk(visit)
        except ConnectionError:
            ended.append(Moment.now())
            raise

    async def late(fault: str, number: int, session: Session) -> Moment:
        asked.clear()
        ended.clear()
        how = await _outlive(**_call(server.url, f"{fault}/vllm/{number}", session=session, idle_timeout=_SILENCE))
        assert (how, len(asked)) == ("whole", 2)
        return asked[1].since(asked[0] if fault == "stall" else ended[0])

    figures: Figures = {}
    async with serving(talk) as server, Session() as session:
        for fault, times, allowed in (("rst", 100, 0.0), ("fin", 100, 0.0), ("stall", 50, 1000 * _SILENCE)):
            seen = [await late(fault, number, session) for number in range(times)]
            clocks = [one.clock - allowed for one in seen]
            figures |= {f"{fault}_median_ms": round(median(clocks), 2), f"{fault}_worst_ms": round(max(clocks), 2)}
            figures[f"{fault}_work_worst_ms"] = round(max(one.work for one in seen), 2)
    return figures


async def storm() -> Figures:
    """Requests for each of fifty calls to a server that refuses all of them: together, and one after another."""
    faults = FaultServer()
    async with serving(faults.talk) as server, Session() as session:
        calls = (_outlive(**_call(server.url, "always_s503/vllm/together", session=session)) for _ in range(50))
        await asyncio.gather(*calls)
        for fault in ("s503", "s503_after"):
            for _ in range(50):
                await _outlive(**_call(server.url, f"always_{fault}/vllm/apart", session=session))
    return {place.removeprefix("always_").replace("/vllm/", "_"): count / 50 for place, count in faults.log.items()}


async def leaving() -> Figures:
    """Two hundred calls left in four ways, seen by the server; what stays behind in us, and fifty calls after."""
    seen: dict[str, float] = {}
    told: dict[str, asyncio.Event] = {}

    async def talk(visit: Visit) -> None:
        name = visit.path.split("/")[1]
        if visit.method == "GET":
            await visit.answer(b"{}", status="404 Not Found")
            return
        await visit.begin_stream()
        for _ in range(5):
            await visit.event('{"choices":[{"index":0,"delta":{"content":"a"}}]}')
        if name == "whole":
            await visit.event('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
            await visit.end_stream()
            return
        await visit.gone()
        seen[name] = time.monotonic()
        told[name].set()

    async def late(number: int, session: Session | None) -> float:
        name = str(number)
        told[name] = asyncio.Event()
        left, _ = await leave(_call(server.url, f"{name}/v1/chat/completions", session=session), _WAYS[number % 4])
        async with asyncio.timeout(5):
            await told[name].wait()
        return 1000 * (seen[name] - left)

    gc.disable()
    async with serving(talk) as server, Session() as session:
        whole = _call(server.url, "whole/v1/chat/completions", session=session)
        await _outlive(**whole)
        sockets, tasks = open_sockets(), len(asyncio.all_tasks())
        times = [await late(number, session if number % 8 < len(_WAYS) else None) for number in range(200)]
        left_behind = {"sockets_left": open_sockets() - sockets, "tasks_left": len(asyncio.all_tasks()) - tasks}
        after = [await _outlive(**whole) for _ in range(50)]
    figures = {"seen_median_ms": round(median(times), 2), "seen_worst_ms": round(max(times), 2)}
    return {
        "seen_in_250_ms": sum(one < 250 for one in times),
        **figures,
        **left_behind,
        "whole_after": after.count("whole"),
    }


async def memory() -> Figures:
    """MiB that a hostile answer adds at most, and the longest that it kept the loop from all else, in milliseconds."""
    async with _hostile() as root:
        await _burden(root, "firehose")  # what is loaded once does not count
        burdens = {name: await _burden(root, name) for name in TALKS}
    figures = {f"{name}_mib": round(burden.mib, 1) for name, burden in burdens.items()}
    gap, work = (max(getattr(burden, name) for burden in burdens.values()) for name in ("gap", "work"))
    return {**figures, "loop_gap_ms": round(1000 * gap, 1), "loop_work_ms": round(1000 * work, 1)}


async def _burden(root: str, name: str) -> Burden:
    """A firehose is not read on after its first token; everything else until it ends in an error of ours."""
    async with Burden() as burden:
        answer = HuggingFaceInference.create_async_generator(**_call(root, name, total_timeout=30))
        with contextlib.suppress(HfgenError):
            async for _ in answer:
                if name in FIREHOSES:
                    await asyncio.sleep(2.0)
                    break
        await answer.aclose()
    return burden


@contextlib.asynccontextmanager
async def _hostile() -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "faults.hostile"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{json.loads(await process.stdout.readline())['port']}"
    finally:
        process.kill()
        await process.wait()


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
