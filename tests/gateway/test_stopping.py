"""`hfgen serve` as a process: it begins, is told to stop, and ends what it had begun."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from loopback import Visit, serving

pytestmark = pytest.mark.anyio
ASKED = {"model": "toy", "messages": [{"role": "user", "content": "Hello"}], "stream": True}


def chunk(text: str, finish: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`hfgen serve` on a free port, and where it is."""
    command = (sys.executable, "-m", "hfgen", "serve", "--port", "0", *arguments)
    served = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, env=os.environ.copy())
    assert served.stderr is not None
    try:
        said = (await asyncio.wait_for(served.stderr.readline(), 30)).decode()
        yield served, said.split()[-1].removesuffix("/v1")
    finally:
        if served.returncode is None:
            served.kill()
        await served.communicate()


class Slow:
    """A model that says one word and, when it may, the last."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        if visit.path == "/v1/models":
            await visit.answer(b'{"object":"list","data":[{"id":"toy","owned_by":"me"}]}')
        elif visit.path == "/v1/chat/completions":
            await visit.begin_stream()
            await visit.event(chunk("Hi"))
            await self.go.wait()
            await visit.event(chunk(" there", "stop"))
            await visit.end_stream()
        else:
            await visit.answer(b"{}", status="404 Not Found")


async def test_a_running_answer_comes_to_its_end_and_no_new_one_is_begun() -> None:
    model = Slow()
    async with serving(model) as server, process("--api-base", server.url) as (served, url):
        async with aiohttp.ClientSession() as client, client.post(f"{url}/v1/chat/completions", json=ASKED) as answer:
            assert b"Hi" in await answer.content.readline()
            served.send_signal(signal.SIGTERM)
            with pytest.raises(aiohttp.ClientConnectionError):
                for _ in range(500):  # until it no longer listens
                    async with aiohttp.ClientSession() as other, other.get(f"{url}/health"):
                        await asyncio.sleep(0.01)
            model.go.set()
            assert (await answer.read()).endswith(b"data: [DONE]\n\n")
        assert await asyncio.wait_for(served.wait(), 10) == 128 + signal.SIGTERM


async def test_an_answer_that_takes_too_long_ends_with_an_error_event() -> None:
    async with (
        serving(Slow()) as server,
        process("--api-base", server.url, "--drain", "1") as (served, url),
        aiohttp.ClientSession() as client,
        client.post(f"{url}/v1/chat/completions", json=ASKED) as answer,
    ):
        assert b"Hi" in await answer.content.readline()
        served.send_signal(signal.SIGTERM)
        end = (await answer.read()).decode().strip().rpartition("\n\n")[2].removeprefix("data: ")
        assert "stopped before the answer was complete" in json.loads(end)["error"]["message"]


async def test_an_open_door_to_others_is_refused_without_a_key() -> None:
    command = (sys.executable, "-m", "hfgen", "serve", "--host", "0.0.0.0", "--port", "0")
    served = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(served.communicate(), 30)
    assert served.returncode == 2
    assert b"no API key is set" in said
