"""A model server in a process of its own, which answers `Story <n>.` as `fault_server.story` does, and counts who asks.

`python known_server.py [faults]` prints its port. With `faults` each row has its fate by its number, the same in every
run: see `Fate`. `GET /asked` tells how often each story was asked for, `GET /total` how often any was.
"""

import asyncio
import json
import random
import resource
import sys
from collections import Counter
from typing import Final, Literal

from fault_server import fin, good, introduce, understood
from loopback import Visit, serving

Fate = Literal["poison", "refused", "cut", "good"]
POISON: Final = "this row is poison"
_MODE: Final = "vllm"
_LATENCIES: Final = ((0.9, 0.002, 0.02), (0.99, 0.02, 0.1), (1.0, 0.1, 0.5))  # a share, and seconds from and to


def fate(number: int) -> Fate:
    """0.5% are never taken, 2% are refused once, 1% break off once."""
    match number % 200:
        case 0:
            return "poison"
        case n if n % 50 == 1:
            return "refused"
        case n if n % 100 == 2:
            return "cut"
        case _:
            return "good"


def latency(number: int) -> float:
    """Seconds to the first token: mostly few, for some rows many."""
    draw = random.Random(number)
    share = draw.random()
    least, most = next((least, most) for below, least, most in _LATENCIES if share <= below)
    return draw.uniform(least, most)


class KnownServer:
    """`talk` goes to `loopback.serving`."""

    def __init__(self, *, faults: bool) -> None:
        self._faults = faults
        self._asked: Counter[int] = Counter()

    async def talk(self, visit: Visit) -> None:
        if visit.method == "POST":
            await self._story(visit)
        elif visit.path == "/asked":
            await visit.answer(json.dumps(self._asked).encode())
        elif visit.path == "/total":
            await visit.answer(b"%d" % self._asked.total())
        else:
            await introduce(visit, _MODE, visit.path)

    async def _story(self, visit: Visit) -> None:
        body = json.loads(visit.body)
        number = int(body["messages"][0]["content"].removeprefix("Story ").removesuffix("."))
        self._asked[number] += 1
        await asyncio.sleep(latency(number))
        match fate(number) if self._faults else "good":
            case "poison":
                await visit.answer(json.dumps({"error": {"message": POISON}}).encode(), status="400 Bad Request")
            case "refused" if self._asked[number] == 1:
                await visit.answer(b'{"error":{"message":"slow down"}}', status="429 Too Many Requests")
            case "cut" if self._asked[number] == 1:
                await fin(visit, understood(visit.path, body, _MODE), "")
            case _:
                await good(visit, understood(visit.path, body, _MODE))


async def serve() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with serving(KnownServer(faults="faults" in sys.argv).talk) as server:
        print(server.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
