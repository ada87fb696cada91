"""The Hugging Face task form: huggingface_hub's own client finds in the gateway the server that it knows."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from huggingface_hub import AsyncInferenceClient
from huggingface_hub.errors import GenerationError, HfHubHTTPError, OverloadedError, ValidationError
from starlette.applications import Starlette
from starlette.routing import Mount

from gateway_server import gateway, post, running
from hfgen.gateway.app import create_app
from hfgen.gateway.settings import Settings
from loopback import Server, Visit, serving
from pictures import png

pytestmark = pytest.mark.anyio


async def tgi(visit: Visit) -> None:
    if visit.path == "/info":
        await visit.answer(b'{"model_id":"me/writer","max_total_tokens":4096,"version":"3.0.0"}')
        return
    if visit.path != "/generate_stream":
        await visit.answer(b'{"error":"no such route"}', status="404 Not Found")
        return
    await visit.begin_stream()
    if b"Break" in visit.body:
        await visit.event(json.dumps({"token": {"id": 1, "text": "a", "special": False}}))
        await visit.event('{"error":"out of memory","error_type":"generation"}')
        await visit.end_stream()
        return
    details = {"finish_reason": "length", "generated_tokens": 2, "input_length": 5}
    for text, end in (("Once", {}), (" upon", {"generated_text": "Once upon", "details": details})):
        token = {"id": 1, "text": text, "logprob": -0.5, "special": False}
        await visit.event(json.dumps({"token": token, "top_tokens": [{"text": text, "logprob": -0.5}], **end}))
    await visit.end_stream()


async def paints(visit: Visit) -> None:
    if visit.method == "POST":
        await visit.answer(png(16, 8), "image/png")
    else:
        await visit.answer(b'{"error":"no such route"}', status="404 Not Found")


@asynccontextmanager
async def writer() -> AsyncIterator[tuple[AsyncInferenceClient, Server]]:
    async with (
        serving(tgi) as server,
        gateway(Settings(api_base=(server.url,))) as url,
        AsyncInferenceClient(base_url=url, token="hf_none") as client,
    ):
        yield client, server


async def test_text_generation_is_answered_with_the_text() -> None:
    async with writer() as (client, server):
        text = await client.text_generation("Tell", max_new_tokens=2, temperature=0.5, seed=1, stop=["x"])
    assert text == "Once upon"
    sent = json.loads(server.visits[-1].body)
    assert sent["inputs"] == "Tell"
    assert sent["parameters"]["max_new_tokens"] == 2
    assert (sent["parameters"]["temperature"], sent["parameters"]["seed"]) == (0.5, 1)


async def test_details_are_those_that_are_known() -> None:
    async with writer() as (client, _):
        answer = await client.text_generation("Tell", details=True, return_full_text=True)
    assert answer.generated_text == "TellOnce upon"
    assert answer.details is not None
    assert (answer.details.finish_reason, answer.details.generated_tokens) == ("length", 2)
    assert [(token.text, token.logprob) for token in answer.details.tokens] == [("Once", -0.5), (" upon", -0.5)]


async def test_text_generation_is_streamed() -> None:
    async with writer() as (client, _):
        pieces = [piece async for piece in await client.text_generation("Tell", stream=True)]
        story = [piece async for piece in await client.text_generation("Tell", stream=True, details=True)]
    assert "".join(pieces) == "Once upon"
    assert story[-1].generated_text == "Once upon"
    assert story[-1].details is not None
    assert story[-1].details.finish_reason == "length"


async def test_an_error_after_the_first_byte_is_raised_by_the_client() -> None:
    async with writer() as (client, _):
        with pytest.raises(Exception, match="out of memory"):
            [piece async for piece in await client.text_generation("Break", stream=True)]


async def test_text_to_image_is_answered_with_the_picture() -> None:
    async with serving(paints) as server:
        settings = Settings(api_base=(f"{server.url}/models/me/painter",))
        async with gateway(settings) as url, AsyncInferenceClient(base_url=url, token="hf_none") as client:
            picture = await client.text_to_image("a red fox", width=64, height=32)
    assert picture.size == (16, 8)


async def test_the_model_stands_in_the_path() -> None:
    async with serving(tgi) as server, gateway(Settings(names={"fast": (f"me/writer@{server.url}",)})) as url:
        status, answer = await post(f"{url}/models/fast", {"inputs": "Tell"})
    assert (status, answer) == (200, [{"generated_text": "Once upon"}])


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"watermark": True}, "parameters.watermark"),
        ({"decoder_input_details": True}, "parameters.decoder_input_details"),
        ({"max_new_tokens": 0}, "parameters.max_new_tokens"),
        ({"best_of": 2}, "parameters.best_of"),
        ({"grammar": {"type": "regex", "value": "a"}}, "parameters.grammar"),
        ({"temperature": "hot"}, "parameters.temperature"),
    ],
)
async def test_an_impossible_parameter_is_named(parameters: dict[str, Any], field: str) -> None:
    async with gateway(Settings(api_base=("http://127.0.0.1:9",))) as url:
        status, answer = await post(url, {"inputs": "Tell", "parameters": parameters})
    assert (status, answer["error_type"]) == (400, "validation")
    assert answer["error"].startswith(f"{field}: ")
    assert answer["request_id"].startswith("req_")


async def test_the_form_needs_the_key_that_the_page_does_not() -> None:
    async with gateway(Settings(keys=("k",))) as url:
        status, answer = await post(url, {"inputs": "Tell"})
        assert (status, "error_type" in answer) == (401, False)
        assert answer["error"].startswith("an API key is needed")
        async with AsyncInferenceClient(base_url=url, token="hf_none") as client:
            with pytest.raises(HfHubHTTPError, match="API key is wrong"):
                await client.text_generation("Tell")


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        ("400 Bad Request", ValidationError),
        ("429 Too Many Requests", OverloadedError),
        ("502 Bad Gateway", GenerationError),
    ],
)
async def test_an_error_before_the_first_byte_is_the_one_that_the_client_has_a_class_for(
    status: str, raised: type[Exception]
) -> None:
    async def refuses(visit: Visit) -> None:
        if visit.path == "/generate_stream":
            await visit.answer(b'{"error":"so it is","error_type":"x"}', status=status)
        else:
            await tgi(visit)

    async with (
        serving(refuses) as server,
        gateway(Settings(api_base=(server.url,))) as url,
        AsyncInferenceClient(base_url=url, token="hf_none") as client,
    ):
        with pytest.raises(raised, match="so it is"):
            await client.text_generation("Tell")
        with pytest.raises(raised, match="so it is"):
            await client.text_generation("Tell", stream=True)


async def test_a_gateway_that_is_mounted_words_its_errors_alike() -> None:
    app = Starlette(routes=[Mount("/llm", create_app(Settings(keys=("k",))))])
    async with running(app) as url:
        _, task = await post(f"{url}/llm/", {"inputs": "Tell"})
        _, chat = await post(f"{url}/llm/v1/chat/completions", {"messages": []})
    assert isinstance(task["error"], str)
    assert chat["error"]["code"] == "invalid_api_key"
