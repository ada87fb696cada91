"""Whether the gateway says that it can answer."""

import asyncio

import aiohttp
import pytest

from gateway_server import gateway, get
from hfgen.gateway.models import has_engine
from hfgen.gateway.settings import Limits, Settings
from loopback import Visit, serving

pytestmark = pytest.mark.anyio
NOWHERE = "http://127.0.0.1:9"


async def lives(visit: Visit) -> None:
    await visit.answer(b'{"status":"ok"}')


async def refuses(visit: Visit) -> None:
    await visit.answer(b"{}", status="401 Unauthorized")


async def loads(visit: Visit) -> None:
    await visit.answer(b'{"error":{"code":503,"message":"Loading model"}}', status="503 Service Unavailable")


async def test_it_is_ready_while_a_server_behind_answers_whatever_that_says() -> None:
    for talk in (lives, refuses):
        async with serving(talk) as server, gateway(Settings(api_base=(NOWHERE, f"{server.url}/v1"))) as url:
            assert await get(f"{url}/ready") == (200, {"status": "ok"})


async def test_it_is_not_ready_where_nobody_answers_and_says_nothing_of_who_should() -> None:
    async with gateway(Settings(api_base=(NOWHERE,))) as url, aiohttp.ClientSession() as client:
        async with client.get(f"{url}/ready") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "3")
            said = await answer.text()
        assert '"code":"not_ready"' in said
        assert "127.0.0.1" not in said
        assert (await get(f"{url}/health"))[0] == 200


async def test_a_server_that_loads_its_model_is_not_there_yet() -> None:
    async with serving(loads) as server, gateway(Settings(api_base=(server.url,))) as url:
        assert (await get(f"{url}/ready"))[0] == 503


async def test_a_server_that_only_a_name_leads_to_counts_too() -> None:
    async with serving(lives) as server:
        names = {"fast": (f"toy@{server.url}/v1",)}
        async with gateway(Settings(api_base=(NOWHERE,), names=names)) as url:
            assert (await get(f"{url}/ready"))[0] == 200


async def test_the_server_behind_is_asked_once_for_many_and_without_a_token() -> None:
    async with serving(lives) as server:
        settings = Settings(api_base=(server.url,), upstream_key="hf_secret", keys=("k",))
        async with gateway(settings) as url:
            answers = await asyncio.gather(*(get(f"{url}/ready") for _ in range(8)))
        assert {status for status, _ in answers} == {200}
        assert [visit.path for visit in server.visits] == ["/health"]
        assert "authorization" not in {name.lower() for name in server.visits[0].headers}


async def test_without_a_server_of_ones_own_the_local_engine_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    async with gateway(Settings()) as url:
        expected = 200 if await asyncio.to_thread(has_engine) else 503
        assert (await get(f"{url}/ready"))[0] == expected


def test_a_process_takes_a_thousand_streams_and_who_watches_over_them() -> None:
    assert 1000 < Limits().connections <= 1024
