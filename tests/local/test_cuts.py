"""The real llama.cpp behind a proxy that cuts: each answer equals the one that was not cut."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hfgen import HuggingFaceInference, Resumed
from hfgen.events import Event
from hfgen.messages import Message
from hfgen.providers.local import local_target
from hfgen.wire import Target

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("weights", "engines")]

_CUTS = int(os.environ.get("HFGEN_ENGINE_CUTS", "40"))
_QUESTION = "Name ten animals of the sea, one a line, with a few words about each."


class Cutter:
    """Passes connections on; the next POST's answer is cut after `after` bytes, once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.after: int | None = None

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65536)
        left = 2**60
        if first.startswith(b"POST") and self.after is not None:
            left, self.after = self.after, None
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        back.write(first)
        onward = asyncio.create_task(_pump(reader, back))
        try:
            while left and (data := await there.read(65536)):
                writer.write(data[:left])
                left -= len(data[:left])
                await writer.drain()
        except OSError:
            pass
        finally:
            onward.cancel()
            writer.close()
            back.close()
            await asyncio.gather(onward, writer.wait_closed(), back.wait_closed(), return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def cutting(target: Target) -> AsyncIterator[tuple[Cutter, str]]:
    cutter = Cutter(int(target.base.rpartition(":")[2].partition("/")[0]))
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.get_running_loop().create_task(cutter.talk(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield cutter, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answer(base: str, token: str | None, messages: list[Message], **options: Any) -> list[Event]:
    asked = {"api_base": base, "api_key": token, "temperature": 0, "seed": 1, **options}
    return [event async for event in HuggingFaceInference.create_async_generator(None, messages, **asked)]


def text_of(events: list[Event]) -> str:
    return "".join(event for event in events if isinstance(event, str))


@pytest.mark.timeout(900)
async def test_random_cuts_never_change_an_answer() -> None:
    target = await local_target()
    draw = random.Random(20261124)
    question: list[Message] = [{"role": "user", "content": _QUESTION}]

    async with cutting(target) as (cutter, base):
        whole = text_of(await answer(base, target.token, question, max_tokens=40))
        assert len(whole) > 40
        for _ in range(_CUTS):
            cutter.after = draw.randrange(10_000)
            assert text_of(await answer(base, target.token, question, max_tokens=40)) == whole


@pytest.mark.timeout(900)
async def test_cuts_never_change_an_answer_that_spells_the_ends_of_its_models_turns() -> None:
    target = await local_target()
    prompt = "b_end = <|b_end|>, c_end = <|c_end|>, d_end = <|d_end|>, im_end ="
    draw, resumed = random.Random(20261125), 0

    async with cutting(target) as (cutter, base):
        whole = text_of(await answer(base, target.token, [], prompt=prompt, max_tokens=60))
        spelt = whole[: whole.index("<|im_end|>") + len("<|im_end|>")]
        as_text = text_of(await answer(base, target.token, [], prompt=prompt + spelt, max_tokens=60))
        assert not (spelt + as_text).startswith(whole[: len(spelt) + 20]), "as text it ends the turn"
        for _ in range(max(10, _CUTS // 4)):
            cutter.after = draw.randrange(15_000)
            events = await answer(base, target.token, [], prompt=prompt, max_tokens=60)
            assert text_of(events) == whole
            resumed += any(isinstance(event, Resumed) for event in events)
        assert resumed > 5
