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
        self.asked = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()

    async def send(self, message: Any) -> None:
        self.asked.set()
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


async def test_the_head_goes_out_with_the_first_bytes_and_the_end_with_the_last() -> None:
    caller = Caller()
    outbox = Outbox(caller.send, [])
    assert not caller.got
    await outbox.send(b"a")
    await outbox.end(b"b")
    assert [message["type"] for message in caller.got] == ["http.response.start"] + ["http.response.body"] * 2
    assert [(message["body"], message["more_body"]) for message in caller.got[1:]] == [(b"a", True), (b"b", False)]


async def test_answers_that_share_an_outbox_send_one_head_and_whole_messages() -> None:
    caller = Caller()
    caller.takes.clear()
    outbox = Outbox(caller.send, [])
    sending = [asyncio.create_task(outbox.send(data)) for data in (b"a", b"b", b"c")]
    await asyncio.wait(sending, timeout=0.01)
    caller.takes.set()
    await asyncio.gather(*sending)
    await outbox.end(b"")
    assert [message["type"] for message in caller.got] == ["http.response.start"] + ["http.response.body"] * 4
    assert caller.bodies == [b"a", b"b", b"c", b""]


async def test_silence_is_filled_with_comments_again_and_again() -> None:
    caller = Caller()
    outbox = Outbox(caller.send, [], silence=0.01)
    for _ in range(3):
        caller.got.clear()
        await caller.until(KEEP_AWAKE)
    await outbox.send(b"a")
    await outbox.end(b"b")
    caller.got.clear()
    await outbox.close()
    await asyncio.wait([asyncio.create_task(caller.came.wait())], timeout=0.05)
    assert not caller.got


async def test_a_reader_that_does_not_read_makes_the_model_wait_and_is_sent_no_comments() -> None:
    caller = Caller()
    caller.takes.clear()
    outbox = Outbox(caller.send, [], silence=0.01)
    sending = asyncio.create_task(outbox.send(b"x"))
    done, _ = await asyncio.wait([sending], timeout=0.1)
    assert not done
    caller.takes.set()
    await sending
    assert caller.bodies == [b"x"]
    await outbox.close()


async def test_what_was_not_begun_is_not_broken_off_so_that_it_can_be_a_status() -> None:
    caller = Caller()
    outbox = Outbox(caller.send, [])
    await outbox.break_off(b"an error")
    assert not caller.got
    await outbox.close()


async def test_an_outbox_that_is_closed_sends_no_comment_that_waits_for_its_reader() -> None:
    caller = Caller()
    caller.takes.clear()
    outbox = Outbox(caller.send, [], silence=0.01)
    await caller.asked.wait()
    await outbox.close()
    caller.takes.set()
    done, _ = await asyncio.wait([asyncio.create_task(caller.came.wait())], timeout=0.05)
    assert not done
