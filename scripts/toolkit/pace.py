"""How a stream of text keeps its pace while the toolkit paints: in the same event loop, and beside it."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from hfgen import HuggingFaceInference, ImageResponse

TOKENS, PACE = 300, 10  # how many, and one in how many milliseconds
TOKEN_SERVER = Path(__file__).parents[2] / "benchmarks" / "token_server.py"
PICTURE = {"width": 256, "height": 256, "num_inference_steps": 32}
_ASK = """
import json, sys, urllib.request
asked = {"inputs": "a red fox", "parameters": {**json.loads(sys.argv[2]), "seed": 1}}
head = {"Content-Type": "application/json", "Accept": "image/png"}
urllib.request.urlopen(urllib.request.Request(sys.argv[1], json.dumps(asked).encode(), head)).read()
"""


@asynccontextmanager
async def token_server() -> AsyncIterator[str]:
    """A server of paced text in a process of its own, as an `api_base`."""
    process = await asyncio.create_subprocess_exec(sys.executable, str(TOKEN_SERVER), stdout=asyncio.subprocess.PIPE)
    try:
        port = (await process.stdout.readline()).decode().strip() if process.stdout else ""
        yield f"http://127.0.0.1:{port}/chat/{TOKENS}/{PACE}/v1/chat/completions"
    finally:
        process.terminate()
        await process.wait()


async def gaps(api_base: str) -> list[float]:
    """Seconds between the pieces of one stream."""
    ask: Any = HuggingFaceInference.create_async_generator
    times = [
        time.perf_counter()
        async for event in ask("m", [{"role": "user", "content": "x"}], api_base=api_base)
        if isinstance(event, str)
    ]
    return sorted(later - sooner for sooner, later in pairwise(times))


async def by_hfgen(toolkit: str, seed: int) -> None:
    ask: Any = HuggingFaceInference.create_async_generator
    events = [event async for event in ask("", [], prompt="a red fox", api_base=toolkit, seed=seed, **PICTURE)]
    assert any(isinstance(event, ImageResponse) for event in events)


async def by_another_process(toolkit: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _ASK, toolkit, json.dumps(PICTURE))
    await process.wait()


def row(name: str, found: list[float]) -> str:
    worst, usual, late = found[-1], found[len(found) // 2], found[len(found) * 99 // 100]
    return f"    {name:38} median {usual * 1000:5.1f} ms, 99 % {late * 1000:5.1f} ms, worst {worst * 1000:5.1f} ms"
