"""Whoever leaves `hfgen` early has the real engine stop at once: its slots tell."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from command_line import HFGEN, environment, terminal
from hfgen.providers.local import LOCAL_SYSTEM_PROMPT, local_target, stop_local_engines
from hfgen.wire import Target

pytestmark = pytest.mark.engine

# Greedy and with the system prompt of the local model, so that its list begins with a dog each time.
ENDLESS = (
    *("--no-markdown", "--max-tokens", "3000", "-o", "extra_data", '{"ignore_eos": true}'),
    *("--temperature", "0", "-s", LOCAL_SYSTEM_PROMPT, "Write a list of twenty animals."),
)
ROUNDS = 3  # the best of these counts: the machine may be busy, the engine may not
SOON = 0.25  # seconds, the signal's way through the process and the terminal included


class Slots:
    """The engine's own account of what it is busy with."""

    def __init__(self, target: Target) -> None:
        self.target = target
        # llama.cpp announces keep-alive and closes right after a stream: the next request must not run into that.
        fresh = aiohttp.TCPConnector(force_close=True)
        self.http = aiohttp.ClientSession(connector=fresh, headers={"Authorization": f"Bearer {target.token}"})

    async def busy(self) -> int:
        async with self.http.get(f"{self.target.origin}/slots") as answer:
            return sum(slot["is_processing"] for slot in await answer.json())

    async def seconds_until_idle(self) -> float:
        began = time.perf_counter()
        async with asyncio.timeout(10):
            while await self.busy():
                pass
        return time.perf_counter() - began

    @property
    def words(self) -> tuple[str, ...]:
        return "chat", "--api-base", self.target.base

    @property
    def key(self) -> str:
        return self.target.token or ""


@pytest.fixture
async def slots() -> AsyncIterator[Slots]:
    made = Slots(await local_target())
    try:
        yield made
    finally:
        await made.http.close()
        await asyncio.to_thread(stop_local_engines)


async def test_ctrl_c_frees_the_engine_at_once(slots: Slots) -> None:
    took: list[float] = []
    for _ in range(ROUNDS):
        async with terminal(*slots.words, *ENDLESS, HFGEN_API_KEY=slots.key) as screen:
            await screen.until("Dog")
            assert await slots.busy() == 1
            screen.interrupt()
            took.append(await slots.seconds_until_idle())
            assert await screen.end() == 130
    assert min(took) < SOON, took


async def test_ctrl_c_in_a_conversation_frees_the_engine_at_once(slots: Slots) -> None:
    took: list[float] = []
    async with terminal(*slots.words, *ENDLESS[:-1], HFGEN_API_KEY=slots.key) as screen:
        for _ in range(ROUNDS):
            await screen.until(">>> ")
            screen.type(f"{ENDLESS[-1]}\n")
            await screen.until("Dog")
            assert await slots.busy() == 1
            screen.interrupt()
            took.append(await slots.seconds_until_idle())
            await screen.until(">>> ")
            screen.type("/reset\n")
        await screen.until(">>> ")
        screen.type("/exit\n")
        assert await screen.end() == 0
    assert min(took) < SOON, took


async def test_head_frees_the_engine_at_once(slots: Slots) -> None:
    """`hfgen … | head -1`: noticed with the next token, which the engine needs some 25 ms for."""
    took: list[float] = []
    for _ in range(ROUNDS):
        reading, writing = os.pipe()
        hfgen = await asyncio.create_subprocess_exec(
            *HFGEN, *slots.words, *ENDLESS,
            stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.PIPE,
            env=environment(HFGEN_API_KEY=slots.key),
        )  # fmt: skip
        head = await asyncio.create_subprocess_exec("head", "-1", stdin=reading, stdout=subprocess.PIPE)
        os.close(writing)
        os.close(reading)
        line, _ = await head.communicate()
        took.append(await slots.seconds_until_idle())
        _, said = await hfgen.communicate()
        assert (line.count(b"\n"), said, hfgen.returncode) == (1, b"", 0)
    assert min(took) < SOON, took
