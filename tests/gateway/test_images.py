"""`POST /v1/images/generations`, and the pictures that it keeps."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gateway_server import events, gateway, post
from hfgen.gateway.settings import Limits, Settings
from loopback import Server, Visit, serving
from pictures import png

pytestmark = pytest.mark.anyio
FOX = {"model": "me/painter", "prompt": "a red fox"}


async def paints(visit: Visit) -> None:
    if visit.method == "POST":
        seed = json.loads(visit.body)["parameters"]["seed"]
        await visit.answer(png(16, 8, shade=seed % 200), "image/png")
    else:
        await visit.answer(b'{"error":"no such route"}', status="404 Not Found")


@asynccontextmanager
async def painter(**more: Any) -> AsyncIterator[tuple[str, Server]]:
    async with serving(paints) as server:
        settings = Settings(api_base=(f"{server.url}/models/me/painter",), **more)
        async with gateway(settings) as url:
            yield url, server


async def test_a_picture_comes_as_base64_with_what_it_was_made_from() -> None:
    async with painter() as (url, server):
        status, answer = await post(f"{url}/v1/images/generations", {**FOX, "seed": 7, "size": "64x32", "user": "me"})
    assert status == 200, answer
    assert base64.b64decode(answer["data"][0]["b64_json"]) == png(16, 8, shade=7)
    assert (answer["output_format"], answer["size"], answer["data"][0]["seed"]) == ("png", "16x8", 7)
    sent = json.loads(server.visits[-1].body)
    assert (sent["inputs"], sent["parameters"]["width"], sent["parameters"]["height"]) == ("a red fox", 64, 32)


async def test_several_pictures_differ_by_their_seeds() -> None:
    async with painter() as (url, _):
        _, answer = await post(f"{url}/v1/images/generations", {**FOX, "n": 3, "seed": 1, "aspect_ratio": "16:9"})
    assert sorted(each["seed"] for each in answer["data"]) == [1, 2, 3]


async def test_an_address_is_served_as_exactly_what_the_bytes_are_and_needs_no_key() -> None:
    async with painter(keys=("k",)) as (url, _), aiohttp.ClientSession() as client:
        asked = {**FOX, "seed": 7, "response_format": "url"}
        _, answer = await post(f"{url}/v1/images/generations", asked, {"Authorization": "Bearer k"})
        address = answer["data"][0]["url"]
        assert address.startswith(f"{url}/v1/images/files/")
        assert "b64_json" not in answer["data"][0]
        async with client.get(address) as response:
            assert (response.status, response.content_type) == (200, "image/png")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert await response.read() == png(16, 8, shade=7)
        async with client.get(f"{url}/v1/images/files/{'0' * 32}.png") as response:
            assert response.status == 404


async def test_pictures_are_streamed_as_they_are_made() -> None:
    async with painter() as (url, _):
        said = await events(f"{url}/v1/images/generations", {**FOX, "n": 2, "seed": 1, "stream": True})
    assert said[-1] == "[DONE]"
    story = [json.loads(data) for data in said[:-1]]
    made = [event for event in story if event["type"] == "image_generation.completed"]
    assert sorted(event["seed"] for event in made) == [1, 2]
    assert {event["type"] for event in story} <= {"image_generation.completed", "image_generation.progress"}
    assert made[0]["size"] == "16x8"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"prompt": " "}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 3}, "n"),
        ({"size": "large"}, "size"),
        ({"size": "0x0"}, "width"),
        ({"aspect_ratio": "wide"}, "aspect_ratio"),
        ({"response_format": "webp"}, "response_format"),
        ({"response_format": "url"}, "response_format"),
        ({"seed": -1}, "seed"),
    ],
)
async def test_an_impossible_field_is_named(more: dict[str, Any], field: str) -> None:
    settings = Settings(api_base=("http://127.0.0.1:9",), limits=Limits(pictures=2), pictures_kept=0)
    async with gateway(settings) as url:
        status, answer = await post(f"{url}/v1/images/generations", {**FOX, **more})
    assert status == 400
    assert answer["error"]["param"] == field


async def test_the_address_of_a_picture_is_where_callers_reach_the_gateway() -> None:
    async with painter(public_url="https://ai.example.com/llm/") as (url, _):
        _, answer = await post(f"{url}/v1/images/generations", {**FOX, "response_format": "url"})
    assert answer["data"][0]["url"].startswith("https://ai.example.com/llm/v1/images/files/")


async def fails_at_the_second(visit: Visit) -> None:
    if visit.method == "POST" and json.loads(visit.body)["parameters"]["seed"] == 2:
        await visit.answer(b'{"error":"this seed is cursed"}', status="400 Bad Request")
    else:
        await paints(visit)


async def test_a_picture_that_fails_takes_none_of_the_others_with_it() -> None:
    async with (
        serving(fails_at_the_second) as server,
        gateway(Settings(api_base=(f"{server.url}/models/me/painter",))) as url,
    ):
        status, answer = await post(f"{url}/v1/images/generations", {**FOX, "n": 3, "seed": 1})
        assert (status, sorted(each["seed"] for each in answer["data"])) == (200, [1, 3])
        assert "2 of 3 pictures came" in answer["incomplete"]["message"]
        assert "this seed is cursed" in answer["incomplete"]["message"]
        assert answer["incomplete"]["request_id"].startswith("req_")
        said = await events(f"{url}/v1/images/generations", {**FOX, "n": 3, "seed": 1, "stream": True})
        assert "2 of 3 pictures came" in json.loads(said[-1])["error"]["message"]
        status, answer = await post(f"{url}/v1/images/generations", {**FOX, "seed": 2})
        assert (status, "error" in answer) == (400, True)


async def test_an_error_is_a_status() -> None:
    async def refuses(visit: Visit) -> None:
        await visit.answer(b'{"error":"no credit"}', status="402 Payment Required")

    async with serving(refuses) as server, gateway(Settings(api_base=(f"{server.url}/models/me/painter",))) as url:
        status, answer = await post(f"{url}/v1/images/generations", FOX)
    assert (status, answer["error"]["type"]) == (402, "insufficient_quota")
