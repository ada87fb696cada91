"""What one caller is sent, and when."""

import asyncio
from typing import Any

import pytest

from hfgen.gateway.outbox import KEEP_AWAKE, Outbox

pytestmark = pytest.mark.anyio


class Caller:
    """Takes what is sent; slowly, if told to."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.came = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()

    async def send(self, message: Any) -> None:
        await self.takes.wait()
        self.got.append(message)
        self.came.set()

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.got if "body" in message]

    async def until(self, body: bytes) -> None:
        async with asyncio.timeout(5):
            while body not in self.bodies:
                self.came.clear()
                await self.came.wait()


async def test_what_comes_together_goes_out_together_behind_one_head() -> None:
    caller = Caller()
    outbox = Outbox(caller.send, [])
    outbox.put(b"a")
    outbox.put(b"b")
    outbox.end()
    await outbox.run()
    assert [message["type"] for message in caller.got] == ["http.response.start"] + ["http.response.body"] * 2
    assert caller.bodies == [b"ab", b""]
    assert caller.got[-1]["more_body"] is False


async def test_an_answer_without_a_byte_has_its_head_all_the_same() -> None:
    caller = Caller()
    outbox = Outbox(caller.send, [])
    outbox.end()
    await outbox.run()
    assert [message["type"] for message in caller.got] == ["http.response.start", "http.response.body"]


async def test_silence_is_filled_with_comments_again_and_again() -> None:
    caller = Caller()
    outbox = Outbox(caller.send, [], silence=0.01)
    running = asyncio.create_task(outbox.run())
    for _ in range(3):
        caller.got.clear()
        await caller.until(KEEP_AWAKE)
    outbox.put(b"a")
    await caller.until(b"a")
    outbox.end()
    await running
    assert caller.bodies[-1] == b""


async def test_a_reader_that_does_not_read_is_sent_no_comments_and_makes_the_model_wait() -> None:
    caller = Caller()
    caller.takes.clear()
    outbox = Outbox(caller.send, [], silence=0.01)
    running = asyncio.create_task(outbox.run())
    while not outbox.full:
        outbox.put(b"x" * 1000)
    waiting = asyncio.create_task(outbox.room())
    await asyncio.wait([waiting], timeout=0.05)
    held = len(outbox._held)
    outbox.put(b"y" * 2**16)
    room = asyncio.create_task(outbox.room())
    done, _ = await asyncio.wait([room], timeout=0.1)
    assert not done
    assert len(outbox._held) == held + 2**16
    caller.takes.set()
    await room
    outbox.end()
    await running
