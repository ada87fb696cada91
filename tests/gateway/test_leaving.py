"""A caller that hangs up, or reads slowly."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

import pytest

from gateway_server import gateway
from hfgen.gateway.settings import Settings
from loopback import Visit, serving, soon

pytestmark = pytest.mark.anyio
NO_UVLOOP = pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed here")
LOOPS = [pytest.param("asyncio"), pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop", marks=NO_UVLOOP)]


@pytest.fixture(scope="module", params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both loops that the gateway runs on: each has transports of its own, which tell of a caller that is gone."""
    return request.param


def chunk(text: str, finish: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


async def listing(visit: Visit) -> bool:
    if visit.path == "/v1/models":
        await visit.answer(b'{"object":"list","data":[{"id":"toy","object":"model","owned_by":"me"}]}')
    elif visit.path != "/v1/chat/completions":
        await visit.answer(b"{}", status="404 Not Found")
    else:
        return False
    return True


HELLO = {"model": "toy", "messages": [{"role": "user", "content": "Hello"}]}


@asynccontextmanager
async def answer_of(
    url: str, path: str = "/v1/chat/completions", asked: Mapping[str, Any] = HELLO, *, stream: bool = True
) -> AsyncIterator[asyncio.StreamReader]:
    """A request on a line of its own, which leaving hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=2**12)
    body = json.dumps({**asked, "stream": stream}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    try:
        yield reader
    finally:
        writer.close()


@pytest.mark.parametrize("when", ["before the first token", "in the stream", "in a whole answer"])
async def test_a_caller_that_hangs_up_stops_the_model(when: str) -> None:
    asked, stopped = asyncio.Event(), asyncio.Event()

    async def talks(visit: Visit) -> None:
        if await listing(visit):
            return
        if when != "before the first token":
            await visit.begin_stream()
            await visit.event(chunk("Hi"))
        asked.set()
        await visit.gone()
        stopped.set()

    async with serving(talks) as server, gateway(Settings(api_base=(server.url,))) as url:
        async with answer_of(url, stream=when != "in a whole answer") as reader:
            await asked.wait()
            if when == "in the stream":
                await reader.readuntil(b"Hi")
        await soon(stopped, 250)  # 100 on a machine that does nothing else


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/responses", {"input": "Hello"}),
        ("/v1/completions", {"prompt": "Hello"}),
        ("/v1/images/generations", {"prompt": "a fox"}),
        ("/", {"inputs": "Hello"}),
        ("/", {"inputs": "a fox", "parameters": {"width": 64}}),
    ],
)
async def test_leaving_stops_whoever_answers_on_every_route(path: str, asked: dict[str, Any], stream: bool) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def works(visit: Visit) -> None:
        if visit.method == "GET":
            await listing(visit)
            return
        begun.set()
        await visit.gone()
        stopped.set()

    async with serving(works) as server, gateway(Settings(api_base=(server.url,))) as url:
        async with answer_of(url, path, asked, stream=stream):
            await begun.wait()
        await asyncio.wait_for(stopped.wait(), 10)


async def test_a_slow_reader_slows_the_model_down() -> None:
    sent = 0
    finished = asyncio.Event()

    async def floods(visit: Visit) -> None:
        nonlocal sent
        if await listing(visit):
            return
        await visit.begin_stream()
        for _ in range(4000):
            await visit.event(chunk("x" * 8000))
            sent += 8000
        await visit.event(chunk("", "stop"))
        await visit.end_stream()
        finished.set()

    async with serving(floods) as server, gateway(Settings(api_base=(server.url,))) as url, answer_of(url) as reader:
        await reader.read(1000)
        before = -1
        while before != sent:  # until nobody takes any more
            before = sent
            await asyncio.sleep(0.3)
        assert not finished.is_set()
        assert sent < 16 * 2**20  # the sockets' own buffers; the whole answer has 32 million bytes
        end = b""
        while b"[DONE]" not in end:
            end = end[-10:] + await reader.read(2**16)
        await asyncio.wait_for(finished.wait(), 10)
