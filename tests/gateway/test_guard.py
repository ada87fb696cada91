"""Who may call, and how much: the gateway's door."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from hypothesis import given, strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from gateway_server import gateway, running
from hfgen.errors import UsageError
from hfgen.gateway.app import create_app
from hfgen.gateway.guard import host_of
from hfgen.gateway.keys import digest
from hfgen.gateway.settings import Limits, Settings
from loopback import Visit, serving

pytestmark = pytest.mark.anyio
HELLO = {"model": "toy", "messages": [{"role": "user", "content": "Hello"}]}


async def says_hi(visit: Visit) -> None:
    if visit.path == "/v1/models":
        await visit.answer(b'{"object":"list","data":[{"id":"toy","object":"model","owned_by":"me"}]}')
    elif visit.path == "/v1/chat/completions":
        await visit.answer(b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}')
    else:
        await visit.answer(b"{}", status="404 Not Found")


async def ask(url: str, headers: dict[str, str] | None = None, method: str = "GET", **more: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.request(method, url, headers=headers, **more) as response:
        raw = await response.read()
        return response.status, json.loads(raw) if raw else dict(response.headers)


async def status_of(url: str, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as response:
        return response.status


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "127.0.0.1.evil.test",
        "localhost.evil.test:8000",
        "",
        "localhost:x",
        "0.0.0.0",
        "192.168.1.2",
        "a@localhost",
    ],
)
async def test_a_stranger_name_is_turned_away(host: str) -> None:
    async with gateway(Settings()) as url:
        status, answer = await ask(f"{url}/health", {"Host": host})
    assert (status, answer["error"]["code"]) == (421, "unknown_host")


async def test_a_request_without_a_host_is_turned_away() -> None:
    async with gateway(Settings()) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET /health HTTP/1.0\r\n\r\n")
        head = await reader.readline()
        writer.close()
    assert b" 421 " in head or b" 400 " in head


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1234", "127.0.0.1:8000", "[::1]", "[::1]:80", "localhost.", "box.lan:80"]
)
async def test_names_of_this_machine_and_those_allowed_are_let_in(host: str) -> None:
    async with gateway(Settings(hosts=("box.lan",))) as url:
        assert (await ask(f"{url}/health", {"Host": host}))[0] == 200


async def test_a_gateway_for_others_is_reached_by_its_address() -> None:
    async with gateway(Settings(public=True)) as url:
        assert (await ask(f"{url}/health", {"Host": "192.168.1.2:8000"}))[0] == 200
        assert (await ask(f"{url}/health", {"Host": "evil.test"}))[0] == 421


@given(st.text(max_size=40))
def test_any_host_is_read_without_an_error(said: str) -> None:
    host = host_of(said)
    assert host == host.lower()


async def test_a_page_of_another_origin_may_not_call() -> None:
    async with gateway(Settings()) as url:
        for method in ("GET", "POST", "OPTIONS"):
            status, answer = await ask(f"{url}/v1/models", {"Origin": "https://evil.test"}, method)
            assert (status, answer["error"]["code"]) == (403, "unknown_origin")


@pytest.mark.parametrize("origin", ["null", "", "http://localhost.evil.test", "http://127.0.0.1:1"])
async def test_no_origin_is_taken_for_the_gateways_own_by_mistake(origin: str) -> None:
    async with gateway(Settings()) as url:
        assert (await ask(f"{url}/health", {"Origin": origin}))[0] == 403


async def test_the_gateways_own_page_may_call() -> None:
    async with gateway(Settings()) as url:
        assert (await ask(f"{url}/health", {"Origin": url}))[0] == 200


async def test_a_named_origin_may_call_and_asks_before() -> None:
    asked = {"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}
    async with gateway(Settings(origins=("https://app.test",))) as url:
        status, headers = await ask(f"{url}/v1/chat/completions", asked, "OPTIONS")
        assert status == 204
        assert headers["Access-Control-Allow-Origin"] == "https://app.test"
        origin = {"Origin": "https://app.test"}
        async with aiohttp.ClientSession() as client, client.get(f"{url}/health", headers=origin) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.test"
            assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_named_origin_may_send_any_header_as_openai_s_client_does_in_a_page() -> None:
    """It sends X-Stainless-… (npm openai, src/internal/detect-platform.ts); `*` stands for all but Authorization."""
    asked = {
        "Origin": "https://app.test",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-arch,x-stainless-retry-count",
    }
    async with gateway(Settings(origins=("https://app.test",))) as url:
        _, headers = await ask(f"{url}/v1/chat/completions", asked, "OPTIONS")
    assert {"authorization", "*"} <= set(headers["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in headers  # with them `*` would be a header's name


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_any_page_may_send_is_refused(kind: str) -> None:
    async with gateway(Settings()) as url:
        status, answer = await ask(f"{url}/v1/chat/completions", {"Content-Type": kind}, "POST", data=b"{}")
    assert (status, answer["error"]["code"]) == (415, "wrong_type")


async def test_a_key_is_asked_for_where_there_is_one() -> None:
    async with serving(says_hi) as server:
        async with gateway(Settings(api_base=(server.url,), keys=("first", "second"))) as url:
            chat = f"{url}/v1/chat/completions"
            for wrong in ({}, {"Authorization": "Bearer third"}, {"Authorization": "first"}, {"X-Api-Key": "no"}):
                status, answer = await ask(chat, wrong, "POST", json=HELLO)
                assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
            for right in ({"Authorization": "Bearer first"}, {"X-Api-Key": "second"}):
                assert (await ask(chat, right, "POST", json=HELLO))[0] == 200
            assert (await ask(f"{url}/health"))[0] == 200
            assert (await ask(f"{url}/v1/models"))[0] == 401
        assert all("authorization" not in {name.lower() for name in visit.headers} for visit in server.visits)


async def test_each_caller_may_bring_a_token_of_its_own() -> None:
    async with serving(says_hi) as server:
        async with gateway(Settings(api_base=(server.url,), pass_through_token=True)) as url:
            await ask(f"{url}/v1/chat/completions", {"Authorization": "Bearer hf_mine"}, "POST", json=HELLO)
        sent = [visit.headers.get("authorization", visit.headers.get("Authorization")) for visit in server.visits]
        assert set(sent) == {"Bearer hf_mine"}


@pytest.mark.parametrize("form", ["whole", "chunked"])
async def test_a_body_beyond_the_limit_is_refused(form: str) -> None:
    async def drops() -> Any:
        for _ in range(20):
            yield b" " * 1000

    async with gateway(Settings(limits=Limits(body=10_000))) as url:
        data = b" " * 20_000 if form == "whole" else drops()
        headers = {"Content-Type": "application/json"}
        status, answer = await ask(f"{url}/v1/chat/completions", headers, "POST", data=data)
    assert (status, answer["error"]["code"]) == (413, "body_too_large")


async def test_more_requests_a_minute_than_its_share_are_put_off() -> None:
    async with serving(says_hi) as server:
        settings = Settings(api_base=(server.url,), keys=("a", "b"), limits=Limits(per_minute=2))
        async with gateway(settings) as url, aiohttp.ClientSession() as client:
            seen: list[int] = []
            for key in ("a", "a", "a", "b"):
                headers = {"Authorization": f"Bearer {key}"}
                async with client.post(f"{url}/v1/chat/completions", json=HELLO, headers=headers) as answer:
                    seen.append(answer.status)
                    if answer.status == 429:
                        assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert seen == [200, 200, 429, 200]


async def test_more_answers_at_once_than_its_share_are_put_off() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def waits(visit: Visit) -> None:
        if visit.path == "/v1/chat/completions":
            begun.set()
            await go.wait()
        await says_hi(visit)

    async with serving(waits) as server:
        settings = Settings(api_base=(server.url,), limits=Limits(streams=1))
        async with gateway(settings) as url:
            first = asyncio.create_task(ask(f"{url}/v1/chat/completions", {}, "POST", json=HELLO))
            await begun.wait()
            status, answer = await ask(f"{url}/v1/chat/completions", {}, "POST", json=HELLO)
            assert (status, answer["error"]["code"]) == (429, "too_many_streams")
            go.set()
            assert (await first)[0] == 200
            assert (await ask(f"{url}/v1/chat/completions", {}, "POST", json=HELLO))[0] == 200


async def test_too_many_headers_are_refused() -> None:
    async with gateway(Settings()) as url:
        headers = {f"X-{index}": "x" * 4000 for index in range(12)}
        assert (await ask(f"{url}/health", headers))[0] in (400, 431)


async def test_the_host_is_looked_at_before_the_key_the_route_and_the_body() -> None:
    async with gateway(Settings(keys=("sesame",))) as url:
        for path in ("/", "/nowhere", "/v1/chat/completions", "/playground/x.js"):
            status, answer = await ask(f"{url}{path}", {"Host": "evil.test"}, "POST", data=b"x" * 100)
            assert status == 421
            assert "names no host of this gateway" in str(answer["error"])


@pytest.mark.parametrize("origin", ["http://[", "http://]:1", "javascript:alert(1)", "https://app.test/"])
async def test_an_origin_that_is_none_is_refused(origin: str) -> None:
    async with gateway(Settings(origins=("https://app.test",))) as url:
        assert (await ask(f"{url}/health", {"Origin": origin}))[0] == 403


async def test_a_page_that_may_call_may_also_read_why_it_was_refused() -> None:
    async with (
        gateway(Settings(origins=("https://app.test",), keys=("sesame",))) as url,
        aiohttp.ClientSession(headers={"Origin": "https://app.test"}) as client,
        client.get(f"{url}/v1/models") as response,
    ):
        assert response.status == 401
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.test"
        assert response.headers["Vary"] == "Origin"


async def test_metrics_and_what_may_be_posted_need_the_key_where_there_is_one() -> None:
    async with gateway(Settings(keys=("sesame",))) as url:
        assert (await ask(f"{url}/metrics"))[0] == 401
        for path in ("/", "/health", "/playground/x"):
            assert (await ask(f"{url}{path}", {}, "POST", json={"inputs": "Hello"}))[0] == 401
        assert await status_of(f"{url}/metrics", {"X-Api-Key": "sesame"}) == 200


async def test_without_a_token_of_its_own_no_caller_spends_the_gateways() -> None:
    async with serving(says_hi) as server:
        settings = Settings(api_base=(server.url,), pass_through_token=True, upstream_key="mine")
        async with gateway(settings) as url:
            for wrong in ({}, {"Authorization": "Bearer sesame"}):
                status, answer = await ask(f"{url}/v1/chat/completions", wrong, "POST", json=HELLO)
                assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
        assert not server.visits


def test_no_key_is_kept_as_it_is() -> None:
    settings = Settings(keys=("sesame", "öffne dich"))
    assert all(key.startswith("sha256:") for key in settings.keys)
    assert "sesame" not in repr(settings)
    assert Settings(keys=settings.keys).keys == settings.keys


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(UsageError, match="empty"):
        Settings(keys=("sesame", ""))


async def test_a_key_may_have_any_letters_and_be_given_as_its_digest() -> None:
    keys = ("öffne dich", digest(b"sesame"))
    async with gateway(Settings(keys=keys)) as url:
        _, writer = connection = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: öffne dich\r\n\r\n".encode())
        assert b" 200 " in await connection[0].readline()
        writer.close()
        assert await status_of(f"{url}/metrics", {"X-Api-Key": "sesame"}) == 200
        assert await status_of(f"{url}/metrics", {"X-Api-Key": keys[1]}) == 401


async def test_callers_of_an_open_gateway_share_one_share_whatever_they_call_themselves() -> None:
    async with (
        serving(says_hi) as server,
        gateway(Settings(api_base=(server.url,), limits=Limits(per_minute=1))) as url,
    ):
        for name, status in (("a", 200), ("b", 429)):
            assert (await ask(f"{url}/v1/chat/completions", {"X-Api-Key": name}, "POST", json=HELLO))[0] == status


async def test_no_answer_is_longer_than_the_ceiling() -> None:
    async with serving(says_hi) as server:
        async with gateway(Settings(api_base=(server.url,), limits=Limits(max_tokens=10))) as url:
            for asked in ({}, {"max_tokens": 5}, {"max_tokens": 999}, {"max_completion_tokens": 999}):
                assert (await ask(f"{url}/v1/chat/completions", {}, "POST", json={**HELLO, **asked}))[0] == 200
        sent = [json.loads(visit.body) for visit in server.visits if visit.path == "/v1/chat/completions"]
    assert [each.get("max_tokens") or each.get("max_completion_tokens") for each in sent] == [10, 5, 10, 10]


async def test_mounted_in_another_app_the_door_is_the_same() -> None:
    settings = Settings(keys=("sesame",))
    async with running(Starlette(routes=[Mount("/llm", create_app(settings))])) as url:
        assert (await ask(f"{url}/llm/health"))[0] == 200
        assert (await ask(f"{url}/llm/metrics"))[0] == 401
        assert await status_of(f"{url}/llm/metrics", {"X-Api-Key": "sesame"}) == 200
        assert (await ask(f"{url}/llm/health", {"Host": "evil.test"}))[0] == 421
        assert (await ask(f"{url}/llm/health/../metrics"))[0] == 401
        assert (await ask(f"{url}/llm/playground/../metrics"))[0] in (401, 404)
