"""Limits that several gateways keep together, in a real Redis."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from command_line import hfgen
from gateway_server import gateway
from hfgen.errors import UsageError
from hfgen.gateway.app import create_app
from hfgen.gateway.settings import Limits, Settings
from hfgen.openai_api.refusal import Refusal
from loopback import Visit, serving

pytest.importorskip("redis", reason="hfgen[redis] is not installed")
from hfgen.gateway.redis_allowance import RedisAllowance

pytestmark = pytest.mark.anyio
SERVER = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(SERVER is None, reason="no redis-server on this machine (Debian: redis-server)")
HELLO = {"model": "toy", "messages": [{"role": "user", "content": "Hello"}]}


@asynccontextmanager
async def redis(folder: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A Redis on a socket of its own: its address, and its process."""
    assert SERVER is not None
    line = folder / "redis.sock"
    options = ("--port", "0", "--unixsocket", str(line), "--save", "", "--dir", str(folder))
    process = await asyncio.create_subprocess_exec(SERVER, *options, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        while b"accept connections at" not in await process.stdout.readline():
            pass
        yield f"unix://{line}", process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def says_hi(visit: Visit) -> None:
    if visit.path == "/v1/models":
        await visit.answer(b'{"object":"list","data":[{"id":"toy","owned_by":"me"}]}')
    else:
        await visit.answer(b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}')


async def status(url: str, key: str) -> int:
    headers = {"X-Api-Key": key}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.post(f"{url}/v1/chat/completions", json=HELLO) as answer,
    ):
        return answer.status


@needs_redis
async def test_two_gateways_give_a_caller_one_share(tmp_path: Path) -> None:
    async with redis(tmp_path) as (address, _), serving(says_hi) as server:
        settings = Settings(api_base=(server.url,), keys=("a", "b"), limits=Limits(per_minute=2), shared_limits=address)
        async with gateway(settings) as first, gateway(settings) as second:
            assert [await status(url, "a") for url in (first, second, first, second)] == [200, 200, 429, 429]
            assert await status(second, "b") == 200


@needs_redis
async def test_answers_at_once_are_counted_together_and_given_back(tmp_path: Path) -> None:
    async with redis(tmp_path) as (address, _):
        one, other = (RedisAllowance(address, Limits(streams=1), patience=5) for _ in range(2))
        async with one.share("me"):
            with pytest.raises(Refusal) as refused:
                async with other.share("me"):
                    pass
            assert (refused.value.status, refused.value.code) == (429, "too_many_streams")
            async with other.share("you"):
                pass
        async with other.share("me"):
            pass
        for each in (one, other):
            await each.aclose()


@needs_redis
async def test_an_answer_of_a_gateway_that_died_no_longer_counts_and_a_long_one_does(tmp_path: Path) -> None:
    async with redis(tmp_path) as (address, _):
        limits = Limits(streams=1)
        dead, other = (RedisAllowance(address, limits, lease=1.5, patience=5) for _ in range(2))
        held = dead.share("me")
        await held.__aenter__()
        await asyncio.sleep(2)  # more than the lease, which is renewed meanwhile
        with pytest.raises(Refusal):
            async with other.share("me"):
                pass
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if "_renew" in repr(task.get_coro()):
                task.cancel()  # its gateway is no more
        begun = time.monotonic()
        while time.monotonic() - begun < 10:
            try:
                async with other.share("me"):
                    break
            except Refusal:
                await asyncio.sleep(0.05)
        assert time.monotonic() - begun < 5
        await held.__aexit__(None, None, None)
        for each in (dead, other):
            await each.aclose()


@needs_redis
async def test_without_its_redis_a_gateway_counts_alone_and_comes_back_to_it(tmp_path: Path) -> None:
    limits = Limits(per_minute=2)
    async with redis(tmp_path) as (address, process):
        one = RedisAllowance(address, limits, pause=0.2, patience=5)
        async with one.share("me"):
            process.kill()
            await process.wait()
        for _ in range(2):
            async with one.share("me"):
                pass
        with pytest.raises(Refusal, match="2 requests a minute"):
            async with one.share("me"):
                pass
    async with redis(tmp_path):
        await asyncio.sleep(0.25)
        async with one.share("me"):
            pass
    await one.aclose()


async def test_an_address_where_nobody_answers_stops_no_request(caplog: pytest.LogCaptureFixture) -> None:
    one = RedisAllowance("redis://:secretword@127.0.0.1:9/0", Limits(per_minute=1))
    begun = time.monotonic()
    async with one.share("me"):
        pass
    assert time.monotonic() - begun < 1
    assert "counts alone" in caplog.text
    assert "secretword" not in caplog.text
    await one.aclose()


def test_an_address_of_no_redis_is_refused_before_anything_is_served() -> None:
    with pytest.raises(UsageError, match="no address of Redis"):
        create_app(Settings(shared_limits="http://127.0.0.1"))


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_the_address_comes_from_the_environment_too(workers: str) -> None:
    address = "ftp://:secretword@x"
    code, _, said = await hfgen("serve", "--port", "0", "--workers", workers, HFGEN_SHARED_LIMITS=address)
    assert (code, "no address of Redis" in said, "secretword" in said) == (2, True, False)
    assert "gateway is at" not in said
