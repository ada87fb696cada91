"""A caller that waits for a model that thinks."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

import aiohttp
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway_server import gateway, running
from hfgen.errors import ServerError
from hfgen.events import Event, FinishReason
from hfgen.gateway.handlers import Porch
from hfgen.gateway.journal import Journal
from hfgen.gateway.meters import Meters
from hfgen.gateway.outbox import STREAM_HEADERS, Outbox
from hfgen.gateway.settings import Settings
from hfgen.gateway.telling import stream
from hfgen.openai_api.chat_chunks import DONE, ChatChunks, fault
from loopback import Visit, serving

pytestmark = pytest.mark.anyio


class Thinker:
    """An answer that comes, or fails, when it may; a comment goes out after each silence."""

    def __init__(self, silence: float, *, fails: bool = False) -> None:
        self.go = asyncio.Event()
        self._silence = silence
        self._fails = fails

    def served(self) -> AbstractAsyncContextManager[str]:
        app: ASGIApp = self._answer
        return running(Journal(Porch(app), Meters()))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await receive()  # the body
        outbox = Outbox(send, STREAM_HEADERS, self._silence)
        told = [(self._events(), ChatChunks("id", 0, "toy", 0, with_usage=False))]
        await stream(told, lambda: DONE, partial(fault, request_id="req_1"), outbox, receive)

    async def _events(self) -> AsyncGenerator[Sequence[Event], None]:
        await self.go.wait()
        if self._fails:
            raise ServerError("it thought too hard")
        yield ("Hi",)
        yield (FinishReason("stop"),)


async def test_comments_keep_the_line_awake_and_the_answer_follows() -> None:
    model = Thinker(0.05)
    async with model.served() as url, aiohttp.ClientSession() as client, client.post(url, json={}) as response:
        assert response.status == 200
        for _ in range(2):
            assert await response.content.readline() == b": \n"
            assert await response.content.readline() == b"\n"
        model.go.set()
        said = (await response.read()).decode()
    assert '"content":"Hi"' in said
    assert said.endswith("data: [DONE]\n\n")
    assert "id: " not in said


async def test_a_failure_after_a_comment_is_an_event_and_the_last_one() -> None:
    model = Thinker(0.05, fails=True)
    async with model.served() as url, aiohttp.ClientSession() as client, client.post(url, json={}) as response:
        assert response.status == 200
        assert await response.content.readline() == b": \n"
        model.go.set()
        said = (await response.read()).decode()
    events = [line.removeprefix("data: ") for line in said.splitlines() if line.startswith("data: ")]
    error = json.loads(events[-1])["error"]
    assert (error["message"], error["request_id"]) == ("it thought too hard", "req_1")
    assert "[DONE]" not in said


async def test_a_failure_before_any_byte_is_a_status() -> None:
    model = Thinker(60, fails=True)
    model.go.set()
    async with model.served() as url, aiohttp.ClientSession() as client, client.post(url, json={}) as response:
        assert response.status == 502
        assert (await response.json())["error"] == "it thought too hard"  # at "/", in TGI's form


async def test_no_proxy_holds_a_stream_back_and_nobody_compresses_it() -> None:
    async def says_hi(visit: Visit) -> None:
        if visit.path == "/v1/models":
            await visit.answer(b'{"object":"list","data":[{"id":"toy","owned_by":"me"}]}')
        else:
            await visit.begin_stream()
            await visit.event('{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}')
            await visit.end_stream()

    asked = {"model": "toy", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    headers = {"Accept-Encoding": "gzip, deflate, br"}
    async with (
        serving(says_hi) as server,
        gateway(Settings(api_base=(server.url,))) as url,
        aiohttp.ClientSession(headers=headers) as client,
        client.post(f"{url}/v1/chat/completions", json=asked) as response,
    ):
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["Cache-Control"] == "no-store"
        assert "Content-Encoding" not in response.headers
        assert (await response.read()).endswith(b"data: [DONE]\n\n")
