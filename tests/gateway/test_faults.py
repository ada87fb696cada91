"""What a caller learns of a fault, and what it never does."""

import asyncio
import json
import logging
import re

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_server import gateway, post, running
from hfgen.gateway.handlers import HANDLERS, Porch
from hfgen.gateway.journal import Journal
from hfgen.gateway.meters import Meters
from hfgen.gateway.settings import Settings
from loopback import Visit, serving

pytestmark = pytest.mark.anyio
HELLO = {"model": "toy", "messages": [{"role": "user", "content": "Hello"}]}
TOKEN = "hf_abcdefghijklmnopqrstuvwxyz"


async def breaks(_request: Request) -> Response:
    raise ZeroDivisionError("a secret of the inside")


@pytest.mark.parametrize("where", ["in a route", "before any route"])
async def test_a_fault_of_the_gateways_own_is_told_by_its_id_alone(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret of the inside")

    routes = Starlette(routes=[Route("/boom", breaks)], exception_handlers=HANDLERS)
    app = Journal(Porch(routes if where == "in a route" else broken), Meters())
    async with running(app) as url, aiohttp.ClientSession() as client, client.get(f"{url}/boom") as response:
        said = await response.text()
        assert response.status == 500
        error = json.loads(said)["error"]
    assert error["request_id"] == response.headers["X-Request-Id"]
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    assert "secret" not in said
    assert "Traceback" not in said
    told = [each for each in caplog.records if each.exc_info]
    assert [error["request_id"] in each.getMessage() for each in told] == [True]


async def test_what_an_upstream_says_of_its_failure_is_cut_and_without_tokens() -> None:
    async def fails(visit: Visit) -> None:
        if visit.path == "/v1/models":
            await visit.answer(b'{"object":"list","data":[{"id":"toy","owned_by":"me"}]}')
        else:
            said = f"{visit.headers.get('authorization')} {TOKEN} " + "x" * 5000
            await visit.answer(said.encode(), kind="text/plain", status="400 Bad Request", more="Set-Cookie: a=b\r\n")

    async with serving(fails) as server, gateway(Settings(api_base=(server.url,), upstream_key="sesame-key")) as url:
        status, answer = await post(f"{url}/v1/chat/completions", HELLO)
    assert status == 400
    assert "sesame-key" not in answer["error"]["message"]
    assert TOKEN not in answer["error"]["message"]
    assert not re.search("x{201}", answer["error"]["message"])


async def test_a_caller_that_leaves_is_no_error_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stopped = asyncio.Event()

    async def talks(visit: Visit) -> None:
        if visit.path == "/v1/models":
            await visit.answer(b'{"object":"list","data":[{"id":"toy","owned_by":"me"}]}')
            return
        if visit.path != "/v1/chat/completions":
            await visit.answer(b"{}", status="404 Not Found")
            return
        await visit.begin_stream()
        await visit.event('{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}')
        await visit.gone()
        stopped.set()

    async with serving(talks) as server, gateway(Settings(api_base=(server.url,))) as url:
        async with aiohttp.ClientSession() as client:
            response = await client.post(f"{url}/v1/chat/completions", json={**HELLO, "stream": True})
            assert b"Hi" in await response.content.readline()
            response.close()
        await stopped.wait()
    lines = [json.loads(each.getMessage()) for each in caplog.records if each.name == "hfgen.gateway.access"]
    assert [(line["status"], line["complete"]) for line in lines] == [(200, False)]
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING and each.name != "asyncio"]


async def test_a_caller_that_leaves_in_the_midst_of_its_request_is_no_error_either(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with gateway(Settings()) as url:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(head + b"Content-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    lines = [json.loads(each.getMessage()) for each in caplog.records if each.name == "hfgen.gateway.access"]
    assert [(line["status"], line["bytes"]) for line in lines] == [(499, 0)]
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING and each.name != "asyncio"]


@pytest.mark.parametrize("path", ["/health", "/metrics", "/v1/models", "/nowhere", "/v1/chat/completions"])
async def test_no_answer_is_kept_or_guessed_at(path: str) -> None:
    async with gateway(Settings()) as url, aiohttp.ClientSession() as client, client.get(f"{url}{path}") as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Request-Id"].startswith("req_")
        assert "Server" not in response.headers


async def test_only_the_request_itself_goes_upstream_and_no_cookie_comes_back() -> None:
    async def answers(visit: Visit) -> None:
        if visit.path == "/v1/models":
            await visit.answer(b'{"object":"list","data":[{"id":"toy","owned_by":"me"}]}')
        else:
            body = b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'
            await visit.answer(body, more="Set-Cookie: a=b\r\nX-Inner: 1\r\nKeep-Alive: timeout=9\r\n")

    sent = {
        "Cookie": "session=1",
        "X-Forwarded-For": "1.2.3.4",
        "Proxy-Authorization": "Basic eDp5",
        "Authorization": "Bearer theirs",
    }
    more = {"base_url": "http://127.0.0.1:9", "api_base": "http://127.0.0.1:9", "provider": "evil", "api_key": "k"}
    async with serving(answers) as server, gateway(Settings(api_base=(server.url,))) as url:
        async with (
            aiohttp.ClientSession(headers=sent) as client,
            client.post(f"{url}/v1/chat/completions", json={**HELLO, **more, "extra_body": more}) as response,
        ):
            assert response.status == 200
            assert not {"set-cookie", "x-inner", "keep-alive"} & {name.lower() for name in response.headers}
        chat = next(visit for visit in server.visits if visit.path == "/v1/chat/completions")
    assert not {"cookie", "x-forwarded-for", "proxy-authorization", "authorization"} & set(chat.headers)
    assert not set(more) & set(json.loads(chat.body))
