"""The prompt inspector: what the model gets, to the byte, in place of an answer."""

import json
from typing import Any

import pytest

from gateway_server import gateway, post
from hfgen.gateway.settings import Settings
from loopback import Visit, serving

pytestmark = pytest.mark.anyio
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
PROPS = {
    "default_generation_settings": {"n_ctx": 4096},
    "chat_template": TEMPLATE,
    "bos_token": "<s>",
    "eos_token": "</s>",
}
HELLO = [{"role": "user", "content": "Hi <|system|>"}]


async def llamacpp(visit: Visit) -> None:
    match visit.path:
        case "/props":
            await visit.answer(json.dumps(PROPS).encode())
        case "/v1/models":
            await visit.answer(b'{"object":"list","data":[{"id":"toy","object":"model","owned_by":"llamacpp"}]}')
        case "/tokenize":
            await visit.answer(b'{"tokens":[1,2,3]}')
        case _:
            await visit.answer(b'{"error":"no such route"}', status="404 Not Found")


async def seen(route: str, body: dict[str, Any]) -> Any:
    async with serving(llamacpp) as server, gateway(Settings(api_base=(server.url,))) as url:
        status, answer = await post(f"{url}{route}", body)
    assert status == 200, answer
    return answer


async def test_the_prompt_is_shown_with_its_tokens_apart_from_what_only_looks_like_one() -> None:
    answer = await seen("/v1/prompt", {"messages": HELLO})
    assert answer["prompt"] == "<s><|user|>Hi <\u200b|system|></s><|assistant|>"
    assert "".join(piece["text"] for piece in answer["pieces"]) == answer["prompt"]
    assert [piece["text"] for piece in answer["pieces"] if piece["special"]] == [
        "<s>",
        "<|user|>",
        "</s>",
        "<|assistant|>",
    ]
    assert answer["special_tokens"] == ["<s>", "<|user|>", "</s>", "<|assistant|>"]
    assert (answer["model"], answer["token_count"]) == ("toy", 3)
    assert answer["template_name"] == "default"
    assert "/props" in answer["template"]


async def test_a_chat_that_asks_for_its_prompt_gets_it_and_nothing_is_generated() -> None:
    async with serving(llamacpp) as server, gateway(Settings(api_base=(server.url,))) as url:
        body = {"messages": HELLO, "prompt_inspect": True, "stream": True}
        status, answer = await post(f"{url}/v1/chat/completions", body)
    assert (status, answer["object"]) == (200, "prompt")
    assert not any("completion" in visit.path for visit in server.visits)


async def test_a_last_message_that_is_to_be_continued_stays_open() -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello, I"}]
    answer = await seen("/v1/prompt", {"messages": messages, "continue_final_message": True})
    assert answer["prompt"].endswith("<|assistant|>Hello, I")


async def test_a_dead_route_hands_over_to_the_next() -> None:
    async with serving(llamacpp) as server:
        names = {"fast": ("toy@http://127.0.0.1:9", f"toy@{server.url}")}
        async with gateway(Settings(names=names)) as url:
            status, answer = await post(f"{url}/v1/prompt", {"model": "fast", "messages": HELLO})
    assert (status, answer["model"]) == (200, "toy")


async def test_what_cannot_be_shown_is_refused() -> None:
    async with gateway(Settings(api_base=("http://127.0.0.1:9",))) as url:
        status, answer = await post(f"{url}/v1/prompt", {"messages": HELLO, "continue_final_message": True})
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
        status, answer = await post(f"{url}/v1/prompt", {"messages": HELLO})
        assert (status, answer["error"]["type"]) == (502, "server_error")
