"""What a server behind does not take is told to the caller, in every form; `strict` refuses it instead."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from gateway_server import events, gateway, post
from hfgen.events import ImageResponse
from hfgen.gateway.settings import Settings
from hfgen.media import Media
from hfgen.openai_api.image_events import ImageEvents
from loopback import Visit, serving
from pictures import png

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::hfgen.providers.notices.OptionIgnored"),  # what the gateway's owner is told
]
HELLO = [{"role": "user", "content": "Hi"}]
# An OpenAI-like server takes no `top_k`.
FORMS: dict[str, dict[str, Any]] = {
    "v1/chat/completions": {"messages": HELLO},
    "v1/completions": {"prompt": "Hi"},
    "v1/responses": {"input": "Hi"},
}


async def talks(visit: Visit) -> None:
    if visit.path == "/v1/models":
        await visit.answer(b'{"object":"list","data":[{"id":"toy","owned_by":"me"}]}')
    elif visit.path in ("/v1/chat/completions", "/v1/completions"):
        choice = {"index": 0, "message": {"content": "Hi"}, "text": "Hi", "finish_reason": "stop"}
        await visit.answer(json.dumps({"model": "toy", "choices": [choice]}).encode())
    else:
        await visit.answer(b"{}", status="404 Not Found")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serving(talks) as server, gateway(Settings(api_base=(server.url,))) as url:
        yield url


@pytest.mark.parametrize("route", ["v1/chat/completions", "v1/completions"])
async def test_an_option_that_is_left_out_is_named_in_the_answer(route: str, url: str) -> None:
    asked = {"model": "toy", "top_k": 3, "min_p": 0.1, **FORMS[route]}
    status, answer = await post(f"{url}/{route}", asked)
    assert (status, answer["left_out"]) == (200, ["min_p", "top_k"])
    ends = [json.loads(data) for data in await events(f"{url}/{route}", {**asked, "stream": True}) if data != "[DONE]"]
    assert [end.get("left_out") for end in ends if end["choices"][0]["finish_reason"]] == [["min_p", "top_k"]]


@pytest.mark.parametrize("route", FORMS)
async def test_where_nothing_is_left_out_nothing_is_said_of_it(route: str, url: str) -> None:
    asked = {"model": "toy", "temperature": 0.5, **FORMS[route]}
    _, answer = await post(f"{url}/{route}", asked)
    assert "left_out" not in answer
    assert all("left_out" not in data for data in await events(f"{url}/{route}", {**asked, "stream": True}))


async def test_the_task_form_has_it_in_a_header_and_in_the_last_event(url: str) -> None:
    asked: dict[str, Any] = {"inputs": "Hi", "parameters": {"top_k": 3}}
    async with aiohttp.ClientSession() as client, client.post(f"{url}/models/toy", json=asked) as response:
        assert (response.status, response.headers["X-Hfgen-Left-Out"]) == (200, "top_k")
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/models/toy", json={**asked, "stream": True}) as response,
    ):
        last = (await response.read()).decode().strip().split("\n\n")[-1]
    assert json.loads(last.removeprefix("data:"))["details"]["left_out"] == ["top_k"]


def test_a_picture_says_what_it_was_made_without() -> None:
    picture = ImageResponse(Media(png(16, 8), "image/png"), left_out=("scheduler",))
    assert json.loads(ImageEvents(1).whole([picture]))["data"][0]["left_out"] == ["scheduler"]
    assert "left_out" not in json.loads(ImageEvents(1).whole([replace(picture, left_out=())]))["data"][0]


@pytest.mark.parametrize("route", ["v1/chat/completions", "v1/completions"])
async def test_strict_refuses_what_would_be_left_out(route: str, url: str) -> None:
    for more in ({}, {"stream": True}):
        status, answer = await post(
            f"{url}/{route}", {"model": "toy", "strict": True, "top_k": 3, **FORMS[route], **more}
        )
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
        assert "does not take top_k" in answer["error"]["message"]
