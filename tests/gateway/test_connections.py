"""What a connection may cost before it has brought a request."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings, strategies as st
from starlette.types import Receive, Scope, Send

from gateway_server import gateway, running
from hfgen.gateway.app import create_app
from hfgen.gateway.connection import Connection
from hfgen.gateway.settings import Limits, Settings

pytestmark = pytest.mark.anyio
ODD = (b"GET ", b"CONNECT a:1 HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET http://[ HTTP/1.1", b"GET /%ff%00 HTTP/1.1")
ASKED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


POSTED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class Hasty(Connection):
    head_time = 0.3
    linger = 0.3


@asynccontextmanager
async def line(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(each.partition(b":")[2]) for each in head.lower().split(b"\r\n") if b"content-length" in each)
    return int(head.split()[1]), await reader.readexactly(length)


async def test_a_head_that_does_not_end_is_not_waited_for() -> None:
    async with running(create_app(), http=Hasty) as url, line(url) as (reader, writer):
        begun = time.perf_counter()
        writer.write(ASKED[:-2])
        status, body = await answer(reader)
        assert (status, json.loads(body)["error"]["code"]) == (408, "slow_request")
        assert await reader.read() == b""
        assert 0.25 < time.perf_counter() - begun < 2


async def test_a_byte_now_and_then_does_not_prolong_it() -> None:
    async def dribbles(writer: asyncio.StreamWriter) -> None:
        for index in range(len(ASKED) - 1):
            writer.write(ASKED[index : index + 1])
            await asyncio.sleep(0.05)

    async with running(create_app(), http=Hasty) as url, line(url) as (reader, writer):
        dribbling = asyncio.create_task(dribbles(writer))
        assert (await answer(reader))[0] == 408
        dribbling.cancel()


async def test_whoever_says_nothing_is_sent_away() -> None:
    async with running(create_app(), http=Hasty) as url, line(url) as (reader, _):
        assert (await answer(reader))[0] == 408


async def test_a_second_request_on_a_connection_has_its_own_time_and_an_idle_one_may_wait() -> None:
    async with running(create_app(), http=Hasty) as url, line(url) as (reader, writer):
        writer.write(ASKED)
        assert (await answer(reader))[0] == 200
        await asyncio.sleep(0.5)  # longer than a head may take
        writer.write(ASKED)
        assert (await answer(reader))[0] == 200
        writer.write(ASKED[:10])
        assert (await answer(reader))[0] == 408


async def test_half_a_request_behind_a_running_answer_leaves_that_alone() -> None:
    go = asyncio.Event()

    async def slow(_scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await slow(scope, receive, send)

    async with running(app, http=Hasty) as url, line(url) as (reader, writer):
        writer.write(ASKED + ASKED[:10])
        await asyncio.sleep(0.5)
        go.set()
        assert await answer(reader) == (200, b"ok")
        assert (await answer(reader))[0] == 408


async def test_a_body_that_does_not_end_is_not_waited_for() -> None:
    async with gateway(Settings(limits=Limits(body_time=0.3))) as url, line(url) as (reader, writer):
        writer.write(POSTED + b"Content-Length: 100\r\n\r\n{")
        status, body = await answer(reader)
        assert (status, json.loads(body)["error"]["code"]) == (408, "slow_request")


async def test_the_rest_of_a_body_that_was_refused_does_not_hold_the_connection() -> None:
    app = create_app(Settings(keys=("sesame",)))
    async with running(app, http=Hasty) as url, line(url) as (reader, writer):
        begun = time.perf_counter()
        writer.write(POSTED + b"Content-Length: 1000\r\n\r\n{")
        assert (await answer(reader))[0] == 401

        async def dribbles() -> None:
            while True:
                writer.write(b" ")
                await asyncio.sleep(0.05)

        dribbling = asyncio.create_task(dribbles())
        assert await reader.read() == b""
        assert time.perf_counter() - begun < 3
        dribbling.cancel()


async def test_a_body_that_comes_whole_after_its_refusal_leaves_the_connection_for_the_next_request() -> None:
    app = create_app(Settings(keys=("sesame",)))
    async with running(app, http=Hasty) as url, line(url) as (reader, writer):
        writer.write(POSTED + b"Content-Length: 3\r\n\r\n{")
        assert (await answer(reader))[0] == 401
        writer.write(b" }")
        await asyncio.sleep(0.5)  # longer than the rest of a body may take
        writer.write(ASKED)
        assert (await answer(reader))[0] == 200


async def test_headers_without_end_are_not_kept() -> None:
    async with gateway(Settings()) as url, line(url) as (reader, writer):
        writer.write(ASKED[:-2] + b"X-Long: ")

        async def floods() -> None:
            with pytest.raises(ConnectionError):
                while True:
                    writer.write(b"x" * 2**15)
                    await writer.drain()

        flooding = asyncio.create_task(floods())
        head = await reader.readline()
        assert b" 431 " in head
        await asyncio.wait_for(flooding, 10)


async def test_a_connection_too_many_is_told_so_and_the_last_that_is_allowed_is_not() -> None:
    async with gateway(Settings(limits=Limits(connections=2))) as url, line(url) as first, line(url) as second:
        for reader, writer in (first, second):
            writer.write(ASKED)
            assert (await answer(reader))[0] == 200
        async with line(url) as (reader, writer):
            writer.write(ASKED)
            status, body = await answer(reader)
            assert (status, json.loads(body)["error"]["code"]) == (503, "too_many_connections")
            assert await reader.read() == b""


@settings(max_examples=10, deadline=None)
@given(heads=st.lists(st.binary(max_size=60), min_size=20, max_size=40))
def test_bytes_that_are_no_request_are_answered_or_dropped_and_never_a_server_error(heads: list[bytes]) -> None:
    async def sends() -> list[bytes]:
        async with running(create_app(), http=Hasty) as url:
            return await asyncio.gather(*(said_to(url, head) for head in (*ODD, *heads)))

    for said in asyncio.run(sends()):
        assert not said or 400 <= int(said.split()[1]) < 500
        assert b"Traceback" not in said


async def said_to(url: str, head: bytes) -> bytes:
    async with line(url) as (reader, writer):
        writer.write(head + b"\r\n\r\n")
        return await reader.read(2**12)
