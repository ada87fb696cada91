"""What the gateway writes down of a request, and what it never does."""

import json
import logging

import aiohttp
import pytest

from gateway_server import gateway, get, post
from hfgen.gateway.settings import Settings
from loopback import Visit, serving

pytestmark = pytest.mark.anyio
SECRET = "the prompt of a person"


async def says_hi(visit: Visit) -> None:
    if visit.path == "/v1/chat/completions":
        await visit.answer(b'{"choices":[{"index":0,"message":{"content":"private"},"finish_reason":"stop"}]}')
    else:
        await visit.answer(b'{"object":"list","data":[{"id":"toy","owned_by":"me"}]}')


async def test_each_request_is_one_line_without_its_text_or_its_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked = {"model": "toy", "messages": [{"role": "user", "content": SECRET}]}
    key = {"Authorization": "Bearer sesame"}
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,), keys=("sesame",))) as url:
        query = SECRET.replace(" ", "+")
        status, answer = await post(f"{url}/v1/chat/completions?q={query}", asked, key)
        assert (status, answer["choices"][0]["message"]["content"]) == (200, "private")
        async with aiohttp.ClientSession(headers=key) as client, client.get(f"{url}/metrics") as response:
            metrics = await response.text()
    lines = [json.loads(each.getMessage()) for each in caplog.records if each.name == "hfgen.gateway.access"]
    assert lines[0]["path"] == "/v1/chat/completions"
    assert (lines[0]["status"], lines[0]["model"]) == (200, "toy")
    assert lines[0]["request_id"].startswith("req_")
    said = caplog.text + metrics
    for secret in (SECRET, "private", "sesame"):
        assert secret not in said
    assert 'hfgen_requests_total{route="/v1/chat/completions",status="200"} 1.0' in metrics
    assert "hfgen_first_byte_seconds_bucket" in metrics


async def test_an_unknown_path_is_no_route_of_its_own_in_the_figures() -> None:
    async with gateway(Settings()) as url, aiohttp.ClientSession() as client:
        status, answer = await get(f"{url}/wp-admin/x.php")
        assert (status, answer["error"]["code"]) == (404, "unknown_url")
        async with client.get(f"{url}/metrics") as response:
            assert "wp-admin" not in await response.text()
