"""Many streams, one in ten broken, for a long time: `python -m faults.soak [SECONDS] [STREAMS]`, 600 and 64 by default.

Prints texts that were wrong, how fast memory grows, and how many descriptors there are as time goes on.
"""

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import Final

from fault_server import FaultServer
from faults.own import PATHS, WrongText, told
from hfgen import Session
from loopback import Server, serving

_BROKEN: Final = 0.1
_FAULTS: Final = (
    *("rst", "fin", "clean_end", "stall", "comments", "no_head", "long_length", "empty", "cut@700", "late_garbage"),
    *(
        "error_object",
        "error_string",
        "error_named",
        "error_broken_json",
        "s429_ms",
        "s503",
        "s503_loading",
        "s502_html",
    ),
)
_LOOKS: Final = 60


@dataclass(frozen=True, slots=True)
class Look:
    """What the process holds at one moment."""

    second: float
    mib: float
    descriptors: int


def _look(began: float) -> Look:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Look(time.monotonic() - began, pages * 4096 / 2**20, sum(1 for _ in Path("/proc/self/fd").iterdir()))


async def _watch(server: Server, pause: float, looks: list[Look]) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(pause)
        server.visits.clear()
        looks.append(_look(began))


class Soak:
    """Streams that run until the time is over, and how they ended."""

    def __init__(self, faults: FaultServer, url: str, session: Session, seconds: float) -> None:
        self._faults, self._url, self._session = faults, url, session
        self._stop = time.monotonic() + seconds
        self.ends = {"whole": 0, "broken": 0, "wrong": 0}

    async def stream(self, number: int) -> None:
        draw, turn = random.Random(number), 0
        while time.monotonic() < self._stop:
            turn += 1
            fault = draw.choice(_FAULTS) if draw.random() < _BROKEN else "ok"
            place = f"{fault}/vllm/{number}-{turn}"
            how = await self._end(place, draw.choice(list(PATHS)), turn % 50)
            self.ends[how] += 1
            del self._faults.log[place]  # the server's own memory is not what is measured

    async def _end(self, place: str, api: str, seed: int) -> str:
        try:
            ended, _ = await told(self._url, place, api, seed, self._session)
        except WrongText as wrong:
            print(place, api, wrong, file=sys.stderr)
            return "wrong"
        if ended != "whole":
            print(place, api, ended, file=sys.stderr)
        return "whole" if ended == "whole" else "broken"


async def soak(seconds: float, streams: int) -> dict[str, float]:
    """Keep so many streams running for so long."""
    looks: list[Look] = []
    faults = FaultServer()
    async with serving(faults.talk) as server:
        before = _look(0).descriptors
        async with Session() as session:
            running = Soak(faults, server.url, session, seconds)
            watching = asyncio.create_task(_watch(server, seconds / _LOOKS, looks))
            await asyncio.gather(*(running.stream(number) for number in range(streams)))
            watching.cancel()
        await asyncio.sleep(0.2)
        after = _look(0).descriptors
    late = looks[len(looks) // 2 :]  # the first half fills caches
    slope = 60 * linear_regression([one.second for one in late], [one.mib for one in late]).slope
    quarters = [looks[at : at + _LOOKS // 4] for at in range(0, _LOOKS, _LOOKS // 4)]
    most = {
        f"descriptors_{at}_of_4": max(one.descriptors for one in some) for at, some in enumerate(quarters, 1) if some
    }
    mib = {"mib_early": round(looks[0].mib, 1), "mib_late": round(looks[-1].mib, 1), "mib_a_minute": round(slope, 2)}
    return {**running.ends, **mib, "descriptors_before": before, **most, "descriptors_after": after}


if __name__ == "__main__":
    length, width = [float(word) for word in (*sys.argv[1:], *("600", "64")[len(sys.argv) - 1 :])]
    print(json.dumps(asyncio.run(soak(length, int(width)))))
