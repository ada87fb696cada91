"""The gateway's text routes, as any client of OpenAI's API sees them."""

import json
from typing import Any

import aiohttp
import pytest

from gateway_server import events, gateway, get, post
from hfgen.gateway.settings import Limits, Settings
from loopback import Visit, serving

pytestmark = pytest.mark.anyio
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


async def says_hi(visit: Visit) -> None:
    if visit.path == "/v1/models":
        await visit.answer(b'{"object":"list","data":[{"id":"toy","object":"model","owned_by":"me"}]}')
    elif visit.path == "/v1/chat/completions":
        await visit.begin_stream()
        await visit.event(chunk({"content": "Hi"}))
        await visit.event(chunk({"content": " there"}, "stop"))
        await visit.event("[DONE]")
        await visit.end_stream()
    elif visit.path == "/v1/completions":
        await visit.begin_stream()
        await visit.event(json.dumps({"choices": [{"index": 0, "text": "Hi", "finish_reason": "length"}]}))
        await visit.event("[DONE]")
        await visit.end_stream()
    else:
        await visit.answer(b'{"error":"no such route"}', status="404 Not Found")


async def test_a_conversation_is_answered_in_one_piece() -> None:
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        status, answer = await post(f"{url}/v1/chat/completions", {"model": "toy", **HELLO, "stream": False})
    assert status == 200
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "toy"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi there", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert answer["usage"]["completion_tokens"] == 2


@pytest.mark.parametrize("route", ["chat/completions", "completions"])
@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_names_the_model_that_the_caller_did_not(route: str, streams: bool) -> None:
    body = {**HELLO, "prompt": "a", "stream": streams}
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        if streams:
            said = [json.loads(data) for data in (await events(f"{url}/v1/{route}", body))[:-1]]
        else:
            said = [(await post(f"{url}/v1/{route}", body))[1]]
    assert {answer["model"] for answer in said} == {"toy"}


async def test_text_in_parts_reaches_the_server_as_text() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        await post(f"{url}/v1/chat/completions", {"messages": [{"role": "user", "content": parts}]})
    assert json.loads(server.visits[-1].body)["messages"] == [{"role": "user", "content": "Hello"}]


async def test_a_conversation_is_streamed_with_its_usage_at_the_end() -> None:
    asked = {"model": "toy", **HELLO, "stream": True, "stream_options": {"include_usage": True}}
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        said = await events(f"{url}/v1/chat/completions", asked)
    assert said[-1] == "[DONE]"
    first, second, end, usage = map(json.loads, said[:-1])
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "Hi"}
    assert second["choices"][0]["delta"] == {"content": " there"}
    assert end["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 2
    assert {each["id"] for each in (first, second, end, usage)} == {first["id"]}


async def test_n_answers_come_side_by_side() -> None:
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        said = await events(f"{url}/v1/chat/completions", {"model": "toy", **HELLO, "stream": True, "n": 3})
    texts = {0: "", 1: "", 2: ""}
    for data in said[:-1]:
        choice = json.loads(data)["choices"][0]
        texts[choice["index"]] += choice["delta"].get("content", "")
    assert set(texts.values()) == {"Hi there"}
    assert said.count("[DONE]") == 1


async def test_raw_prompts_are_answered_in_their_order() -> None:
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        status, answer = await post(f"{url}/v1/completions", {"model": "toy", "prompt": ["a", "b"], "max_tokens": 1})
    assert status == 200
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == [(0, "Hi"), (1, "Hi")]
    assert [json.loads(visit.body)["prompt"] for visit in server.visits if visit.body] == ["a", "b"]


async def test_a_completion_is_streamed() -> None:
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        said = await events(f"{url}/v1/completions", {"model": "toy", "prompt": "a", "stream": True})
    text, end = map(json.loads, said[:-1])
    assert text["choices"] == [{"index": 0, "text": "Hi", "logprobs": None, "finish_reason": None}]
    assert end["choices"][0]["finish_reason"] == "length"
    assert said[-1] == "[DONE]"


async def test_a_request_may_ask_for_64_answers_in_all_and_no_more() -> None:
    asked = {"model": "toy", "prompt": ["a"] * 33, "n": 2}
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,))) as url:
        status, answer = await post(f"{url}/v1/completions", asked)
        assert (status, answer["error"]["param"]) == (400, "n")
        assert not server.visits
        status, answer = await post(f"{url}/v1/completions", {**asked, "prompt": ["a"] * 32})
    assert (status, len(answer["choices"])) == (200, 64)


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("chat/completions", {"messages": "Hello"}, "messages"),
        ("chat/completions", {}, "messages"),
        ("chat/completions", {"messages": []}, "messages"),
        ("chat/completions", {**HELLO, "temperature": "hot"}, "temperature"),
        ("chat/completions", {**HELLO, "n": 0}, "n"),
        ("chat/completions", {**HELLO, "temperature": -1}, "temperature"),
        ("chat/completions", {**HELLO, "continue_final_message": True}, "continue_final_message"),
        ("chat/completions", {**HELLO, "stream_options": {"include_usage": 3}}, "stream_options.include_usage"),
        ("completions", {"prompt": 3}, "prompt"),
        ("completions", {"prompt": []}, "prompt"),
    ],
)
async def test_an_impossible_field_is_named(route: str, body: dict[str, Any], field: str) -> None:
    async with gateway(Settings(api_base=("http://127.0.0.1:9",))) as url:
        status, answer = await post(f"{url}/v1/{route}", body)
    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"
    assert answer["error"]["message"].startswith(field)
    assert answer["error"]["param"] == field
    assert answer["error"]["request_id"].startswith("req_")


async def test_what_is_no_json_is_refused() -> None:
    async with gateway(Settings()) as url, aiohttp.ClientSession() as client:
        answer = await client.post(
            f"{url}/v1/chat/completions", data=b"{", headers={"Content-Type": "application/json"}
        )
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "invalid_json"


async def test_an_error_before_the_first_byte_is_a_status() -> None:
    async def refuses(visit: Visit) -> None:
        await visit.answer(b'{"error":{"message":"no credit"}}', status="402 Payment Required")

    async with serving(refuses) as server, gateway(Settings(api_base=(server.url,))) as url:
        status, answer = await post(f"{url}/v1/chat/completions", {"model": "toy", **HELLO, "stream": True})
    assert status == 402
    assert "no credit" in answer["error"]["message"]


async def test_an_error_after_the_first_byte_is_an_event() -> None:
    async def breaks(visit: Visit) -> None:
        if visit.path != "/v1/chat/completions":
            await says_hi(visit)
            return
        await visit.begin_stream()
        await visit.event(chunk({"content": "Hi"}))
        await visit.event('{"error":{"message":"out of memory"}}')
        await visit.end_stream()

    async with serving(breaks) as server, gateway(Settings(api_base=(server.url,))) as url:
        said = await events(f"{url}/v1/chat/completions", {"model": "toy", **HELLO, "stream": True})
    assert json.loads(said[0])["choices"][0]["delta"]["content"] == "Hi"
    assert "out of memory" in json.loads(said[-1])["error"]["message"]
    assert "[DONE]" not in said


async def test_the_models_are_those_of_the_server_behind() -> None:
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,), names={"fast": ("toy",)})) as url:
        status, answer = await get(f"{url}/v1/models")
        assert (status, [model["id"] for model in answer["data"]]) == (200, ["fast", "toy"])
        assert (await get(f"{url}/v1/models/toy"))[1]["object"] == "model"
        status, answer = await get(f"{url}/v1/models/other/model")
        assert (status, answer["error"]["code"]) == (404, "model_not_found")


async def test_a_name_for_a_model_of_pictures_says_so() -> None:
    names = {"painter": ("black-forest-labs/FLUX.1-dev:fal-ai",), "writer": ("toy",)}
    async with serving(says_hi) as server, gateway(Settings(api_base=(server.url,), names=names)) as url:
        _, answer = await get(f"{url}/v1/models")
    assert {model["id"]: model["makes"] for model in answer["data"]} == {
        "painter": "image",
        "writer": "text",
        "toy": "text",
    }


async def test_a_dead_route_hands_over_to_the_next_before_the_first_byte() -> None:
    async with serving(says_hi) as server:
        names = {"fast": ("toy@http://127.0.0.1:9", f"toy@{server.url}")}
        async with gateway(Settings(names=names)) as url:
            said = await events(f"{url}/v1/chat/completions", {"model": "fast", **HELLO, "stream": True})
    assert json.loads(said[0])["choices"][0]["delta"]["content"] == "Hi"
    assert json.loads(said[0])["model"] == "fast"


async def test_the_longest_answer_has_a_ceiling() -> None:
    settings = Settings(limits=Limits(max_tokens=7))
    async with serving(says_hi) as server:
        async with gateway(Settings(api_base=(server.url,), limits=settings.limits)) as url:
            for asked in ({}, {"max_tokens": 100}, {"max_completion_tokens": 3}):
                await post(f"{url}/v1/chat/completions", {"model": "toy", **HELLO, **asked})
        sent = [json.loads(visit.body)["max_tokens"] for visit in server.visits if visit.body]
    assert sent == [7, 7, 3]


async def test_a_slash_too_many_leads_nowhere_and_a_wrong_method_is_told_the_right_one() -> None:
    async with gateway(Settings()) as url, aiohttp.ClientSession() as client:
        asked = client.post(f"{url}/v1/chat/completions/", json={}, allow_redirects=False)
        async with asked as answer:
            assert (answer.status, "Location" in answer.headers) == (404, False)
        async with client.put(f"{url}/v1/chat/completions", json={}) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
