"""`POST /v1/responses` over the wire."""

import json

import pytest

from gateway_server import events, gateway, post
from hfgen.gateway.settings import Settings
from loopback import Visit, serving

pytestmark = pytest.mark.anyio


async def says_hi(visit: Visit) -> None:
    if visit.path == "/v1/models":
        await visit.answer(b'{"object":"list","data":[{"id":"toy","object":"model","owned_by":"me"}]}')
        return
    if visit.path != "/v1/chat/completions":
        await visit.answer(b'{"error":"no such route"}', status="404 Not Found")
        return
    await visit.begin_stream()
    await visit.event('{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}')
    if b"Break" in visit.body:
        await visit.event('{"error":{"message":"out of memory"}}')
    else:
        await visit.event('{"choices":[{"index":0,"delta":{"content":" there"},"finish_reason":"stop"}]}')
        await visit.event("[DONE]")
    await visit.end_stream()


async def test_an_answer_in_one_piece_names_the_model_that_nobody_asked_for() -> None:
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        status, answer = await post(f"{url}/v1/responses", {"input": "Hello", "store": True, "metadata": {"a": "b"}})
    assert (status, answer["object"], answer["status"], answer["model"]) == (200, "response", "completed", "toy")
    assert answer["output"][0]["content"][0]["text"] == "Hi there"
    assert (answer["store"], answer["metadata"], answer["tool_choice"]) == (False, {"a": "b"}, "auto")
    assert answer["usage"]["output_tokens"] == 2


async def test_an_answer_is_streamed() -> None:
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        said = await events(f"{url}/v1/responses", {"model": "toy", "input": "Hello", "stream": True})
    story = [json.loads(data) for data in said]
    deltas = [event["delta"] for event in story if event["type"] == "response.output_text.delta"]
    assert deltas == ["Hi", " there"]
    assert story[-1]["type"] == "response.completed"
    assert json.loads(server.visits[-1].body)["messages"] == [{"role": "user", "content": "Hello"}]


async def test_an_error_after_the_first_byte_is_told_twice_once_for_each_kind_of_client() -> None:
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        said = await events(f"{url}/v1/responses", {"model": "toy", "input": "Break", "stream": True})
    failed, error = map(json.loads, said[-2:])
    assert failed["response"]["status"] == "failed"
    assert "out of memory" in error["error"]["message"]


async def test_an_error_before_the_first_byte_is_a_status() -> None:
    async with gateway(Settings(api_base=("http://127.0.0.1:9",))) as url:
        status, answer = await post(f"{url}/v1/responses", {"model": "toy", "input": "Hi", "stream": True})
    assert status >= 500
    assert answer["error"]["request_id"].startswith("req_")


async def test_an_impossible_field_is_named() -> None:
    async with gateway(Settings(api_base=("http://127.0.0.1:9",))) as url:
        for body, field in (({"input": 3}, "input"), ({"input": "Hi", "temperature": "hot"}, "temperature")):
            status, answer = await post(f"{url}/v1/responses", body)
            assert (status, answer["error"]["param"]) == (400, field)
        status, answer = await post(f"{url}/v1/responses", {"input": [{"content": "Hi"}]})
        assert (status, "role" in answer["error"]["message"]) == (400, True)
