"""Many streams, one in ten broken, for a long time: `python -m faults.soak [SECONDS] [STREAMS]`, 600 and 64 by default.

Prints texts that were wrong, how fast memory grows, and descriptors before and after.
"""

import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import Final

from fault_server import FaultServer
from faults.own import PATHS, WrongText, told
from hfgen import Session
from loopback import serving

_FAULTS: Final = ("rst", "fin", "clean_end", "error_object", "no_head", "s503", "empty", "cut@700", "long_length")


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def soak(seconds: float, streams: int) -> dict[str, float]:
    """Keep so many streams running for so long."""
    ends = {"whole": 0, "broken": 0, "wrong": 0}
    marks: list[tuple[float, float]] = []
    stop = time.monotonic() + seconds

    async def one(url: str, number: int, session: Session) -> None:
        draw, turn = random.Random(number), 0
        while time.monotonic() < stop:
            turn += 1
            fault = draw.choice(_FAULTS) if draw.random() < 0.1 else "ok"
            try:
                ended, _ = await told(
                    url, f"{fault}/vllm/{number}-{turn}", draw.choice(list(PATHS)), turn % 50, session
                )
                ends["whole" if ended == "whole" else "broken"] += 1
            except WrongText as wrong:
                ends["wrong"] += 1
                print(wrong, file=sys.stderr)

    async def watch() -> None:
        while True:
            await asyncio.sleep(seconds / 20)
            server.visits.clear()  # the server's own memory is not what is measured
            marks.append((time.monotonic(), _resident_mib()))

    async with serving(FaultServer().talk) as server:
        async with Session() as session:
            watching = asyncio.create_task(watch())
            await asyncio.gather(*(one(server.url, number, session) for number in range(streams)))
            watching.cancel()
            most = _descriptors()
        await asyncio.sleep(0.2)
        late = marks[len(marks) // 2 :]  # the first half fills caches
        slope = 60 * (late[-1][1] - late[0][1]) / (late[-1][0] - late[0][0])
        return {**ends, "mib_a_minute": round(slope, 2), "descriptors_during": most, "descriptors": _descriptors()}


if __name__ == "__main__":
    length, width = [float(word) for word in (*sys.argv[1:], *("600", "64")[len(sys.argv) - 1 :])]
    print(json.dumps(asyncio.run(soak(length, int(width)))))
