"""A kept connection that the server has closed meanwhile costs nothing but itself."""

import asyncio

import pytest

from hfgen.errors import ConnectionFailed
from hfgen.limits import Limits
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest
from loopback import Visit, serving

LIMITS = Limits()


async def test_a_post_on_a_connection_that_died_unanswered_is_sent_again_on_another() -> None:
    """The server reads the second request on the kept connection and closes: to the client that is a stale one."""
    seen: dict[int, int] = {}

    async def talk(visit: Visit) -> None:
        port = visit.writer.get_extra_info("peername")[1]
        seen[port] = seen.get(port, 0) + 1
        if seen[port] > 1:
            visit.writer.close()
            return
        await visit.answer(b"{}")

    async with serving(talk) as server, Session() as session:
        for _ in range(20):
            request = WireRequest(server.url + "/", b"{}")
            assert (await session.fetch(request, Target(server.url))).data == b"{}"


async def test_a_server_that_closes_after_each_stream_is_never_met_with_an_error() -> None:
    async def talk(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event("x")
        await visit.end_stream()
        visit.writer.close()

    async with serving(talk) as server, Session() as session:
        for _ in range(200):
            async with session.open(WireRequest(server.url + "/", b"{}"), Target(server.url), LIMITS) as answer:
                while await answer.read():
                    pass


async def test_a_fresh_connection_that_dies_unanswered_is_a_failure_at_once() -> None:
    async def talk(visit: Visit) -> None:
        visit.writer.close()

    async with serving(talk) as server, Session() as session:
        with pytest.raises(ConnectionFailed, match="without an answer"):
            await session.fetch(WireRequest(server.url + "/", b"{}"), Target(server.url))
        assert len(server.visits) == 1


async def test_a_kept_connection_that_dies_late_was_worked_on_and_is_a_failure() -> None:
    async def talk(visit: Visit) -> None:
        if len(server.visits) == 1:
            await visit.answer(b"{}")
            return
        await asyncio.sleep(1.1)
        visit.writer.close()

    async with serving(talk) as server, Session() as session:
        await session.fetch(WireRequest(server.url + "/", b"{}"), Target(server.url))
        with pytest.raises(ConnectionFailed):
            await session.fetch(WireRequest(server.url + "/", b"{}"), Target(server.url))
        assert len(server.visits) == 2
