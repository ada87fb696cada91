"""Limits are judged by what the server sent, and not by how busy this process was."""

import asyncio
import time

import pytest

from hfgen.errors import ServerError, TimedOut
from hfgen.limits import Limits
from hfgen.transport.session import Session
from hfgen.wire import Body, Frame, Target, WireRequest
from loopback import Visit, serving


async def read(url: str, limits: Limits) -> list[Frame]:
    out: list[Frame] = []
    request = WireRequest(url + "/", b"{}")
    async with Session() as session, session.open(request, Target(url), limits) as answer:
        while frames := await answer.read():
            out.extend(frames)
    return out


@pytest.mark.parametrize("phase", ["head", "first event", "next event"])
async def test_a_loop_that_was_blocked_while_data_came_is_no_silence(phase: str) -> None:
    """What arrives is in the kernel before the block, which lasts longer than the limit."""

    async def talk(visit: Visit) -> None:
        loop = asyncio.get_running_loop()
        if phase != "head":
            await visit.begin_stream()
        if phase == "next event":
            await visit.event("zero")
        await asyncio.sleep(0.05)  # the client is now waiting, its timer set
        if phase == "head":
            await visit.begin_stream()
        await visit.event("one")
        time.sleep(0.8)  # noqa: ASYNC251 - the block under test, of the loop that the client shares
        await visit.end_stream()
        assert loop.time() > 0

    async with serving(talk) as server:
        frames = await read(server.url, Limits(connect=0.4, first_token=0.4, idle=0.4))
    assert frames[-1] == b"one"


async def test_a_server_that_pings_before_its_first_token_ends_at_twice_the_limit_from_the_request() -> None:
    pings = 0

    async def talk(visit: Visit) -> None:
        nonlocal pings
        await asyncio.sleep(0.1)
        await visit.begin_stream()
        while True:
            await visit.say(b"8\r\n: ping\n\n\r\n")
            pings += 1
            await asyncio.sleep(0.02)

    loop = asyncio.get_running_loop()
    async with serving(talk) as server:
        began = loop.time()
        with pytest.raises(TimedOut, match="begin its answer"):
            await read(server.url, Limits(first_token=0.2))
        assert loop.time() - began > 0.39
    # Not more than fit into twice the limit; a clock would measure the load of the machine.
    assert pings <= (2 * 0.2 - 0.1) / 0.02 + 2


async def test_a_body_that_comes_slowly_lives() -> None:
    async def talk(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await visit.say(b"x")
            await asyncio.sleep(0.1)

    async with serving(talk) as server:
        assert await read(server.url, Limits(first_token=0.5, idle=0.5)) == [Body("image/png", b"x" * 10)]


async def test_blanks_before_a_body_are_life_for_twice_the_limit_and_no_longer() -> None:
    blanks = 0

    async def talk(visit: Visit) -> None:
        nonlocal blanks
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            await visit.say(b"\n")
            blanks += 1
            await asyncio.sleep(0.02)

    async with serving(talk) as server, asyncio.timeout(20):
        with pytest.raises(TimedOut):
            await read(server.url, Limits(first_token=0.15, idle=0.15))
    assert blanks <= 2 * 0.15 / 0.02 + 2


async def test_many_blank_lines_before_an_answer_are_not_kept() -> None:
    async def talk(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", *[b"\n" * 2**20] * 8)
        await visit.say(b"data: one\n\n")
        visit.writer.close()

    async with serving(talk) as server, asyncio.timeout(20):
        assert await read(server.url, Limits()) == [b"one"]


async def test_blanks_without_a_line_end_are_not_read_for_ever() -> None:
    async def talk(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while True:
            await visit.say(b" " * 2**20)

    async with serving(talk) as server, asyncio.timeout(20):
        with pytest.raises(ServerError, match="more than"):
            await read(server.url, Limits())
