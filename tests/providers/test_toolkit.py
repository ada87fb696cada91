"""Hugging Face's inference toolkit, by the bytes that it sent (version 0.5.6, diffusers 0.33.1, random weights).

`scripts/toolkit` plays the scenes with the real server, and writes what is replayed here.
"""

import asyncio
from typing import Any

import pytest

from hfgen import HuggingFaceInference, ImageResponse
from hfgen.dialects import hf_image
from hfgen.errors import BadRequest, ServerError
from hfgen.events import Event, FinishReason
from hfgen.providers.notices import OptionIgnored
from hfgen.servers.detect import detect, parse_api_base
from hfgen.transport.session import Session
from hfgen.wire import Body
from loopback import Server, Visit
from replay import RECORDINGS, always, body_of, replayed

SMALL: dict[str, Any] = {"width": 32, "height": 32, "num_inference_steps": 2, "seed": 7}


async def events(server: Server, path: str = "", **asked: Any) -> list[Event]:
    asked = {"prompt": "a red fox in snow", "api_base": server.url + path, **asked}
    return [event async for event in HuggingFaceInference.create_async_generator("", [], **asked)]


async def painted(server: Server, path: str = "", **asked: Any) -> ImageResponse:
    """The one picture of a call."""
    told = await events(server, path, **asked)
    assert isinstance(told[-1], FinishReason)
    (picture,) = (event for event in told if isinstance(event, ImageResponse))
    return picture


def posts(server: Server) -> list[Visit]:
    return [visit for visit in server.visits if visit.method == "POST"]


async def test_it_is_known_by_what_it_says() -> None:
    async with replayed("toolkit") as server, Session() as session:
        assert (await detect(session, parse_api_base(server.url))).kind == "toolkit"


async def test_it_paints_and_the_bytes_arrive_as_it_sent_them() -> None:
    async with replayed("toolkit") as server:
        picture = await painted(server, **{**SMALL, "width": 64, "height": 64})
        assert picture.media.data == body_of("toolkit", "picture")
        assert (picture.media.media_type, picture.seed, picture.prompt) == ("image/png", 7, "a red fox in snow")
        assert (picture.width, picture.height) == (64, 64)
        assert picture.server == f"Hugging Face inference toolkit at {server.url}"
        assert len(posts(server)) == 1


async def test_another_seed_is_another_picture() -> None:
    async with replayed("toolkit") as server:
        seven, eight = await painted(server, **SMALL), await painted(server, **{**SMALL, "seed": 8})
        assert seven.media.data != eight.media.data


@pytest.mark.parametrize("more", [{"negative_prompt": "blue"}, {"guidance_scale": 2.0}, {"num_inference_steps": 3}])
async def test_an_option_reaches_the_painter_in_the_form_that_it_takes(more: dict[str, Any]) -> None:
    async with replayed("toolkit") as server:
        plain = await painted(server, **SMALL)
        assert (await painted(server, **{**SMALL, **more})).media.data != plain.media.data


async def test_a_scheduler_is_left_out_and_the_caller_told() -> None:
    async with replayed("toolkit") as server:
        with pytest.warns(OptionIgnored, match="scheduler"):
            picture = await painted(server, **SMALL, scheduler="DDIM")
        assert picture.media.data == (await painted(server, **SMALL)).media.data


async def test_three_calls_at_once_get_each_its_own_picture() -> None:
    async with replayed("toolkit") as server:
        asked = [SMALL, {**SMALL, "seed": 8}, {**SMALL, "num_inference_steps": 3}]
        pictures = await asyncio.gather(*(painted(server, **one) for one in asked))
        alone = [await painted(server, **one) for one in asked]
        assert [picture.media.data for picture in pictures] == [picture.media.data for picture in alone]


async def test_several_pictures_of_one_call_have_seeds_that_follow_each_other() -> None:
    async with replayed("toolkit") as server:
        told = await events(server, **SMALL, n=3)
        pictures = {event.seed: event.media.data for event in told if isinstance(event, ImageResponse)}
        assert pictures == {seed: (await painted(server, **{**SMALL, "seed": seed})).media.data for seed in (7, 8, 9)}
        assert [type(event) for event in told].count(FinishReason) == 1


async def test_the_whole_path_as_api_base_paints_too() -> None:
    async with replayed("toolkit") as server:
        assert (await painted(server, "/predict", **SMALL)).media.media_type == "image/png"
        assert [visit.path for visit in posts(server)] == ["/predict"]


async def test_an_option_of_pictures_is_enough_to_ask_for_one() -> None:
    async with replayed("toolkit") as server:
        picture = await painted(server, num_inference_steps=1, seed=7)
        assert (picture.media.media_type, picture.seed) == ("image/png", 7)


async def test_a_prompt_alone_is_answered_with_a_picture_at_the_first_request() -> None:
    async with replayed("toolkit") as server:
        picture = await painted(server)
        assert (picture.media.media_type, picture.width, picture.height) == ("image/png", 64, 64)
        assert (picture.prompt, picture.server.partition(" at ")[2]) == ("a red fox in snow", server.url)
        assert len(posts(server)) == 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"width": 64, "height": 32, "seed": 7}, "Provided `height=32` and `width=64`"),
        ({"width": 100, "height": 100, "seed": 7}, "have to be divisible by 8 but are 100 and 100"),
        ({"width": 32, "height": 32, "seed": 7, "num_inference_steps": -1}, "integer division or modulo by zero"),
    ],
)
async def test_what_the_painter_cannot_do_is_refused_once_in_its_own_words(asked: dict[str, Any], words: str) -> None:
    async with replayed("toolkit") as server:
        with pytest.raises(BadRequest, match=words):
            await events(server, **asked)
        assert len(posts(server)) == 1


async def test_a_picture_that_is_no_square_is_refused_with_what_to_do() -> None:
    async with replayed("toolkit") as server:
        with pytest.raises(BadRequest) as refused:
            await events(server, width=64, height=32, seed=7)
        assert "the same width and height" in refused.value.hint


@pytest.mark.parametrize("name", ["octets", "charset", "no_inputs", "no_json"])
async def test_each_of_its_errors_is_a_refusal_that_is_not_repeated(name: str) -> None:
    async with always("toolkit", name) as server:
        with pytest.raises(BadRequest):
            await events(server, "/predict", **SMALL)
        assert len(posts(server)) == 1


@pytest.mark.parametrize(("name", "media_type"), [("any_type", "image/png"), ("jpeg", "image/jpeg")])
async def test_a_picture_is_one_in_whatever_form_it_comes(name: str, media_type: str) -> None:
    async with always("toolkit", name) as server:
        assert (await painted(server, "/predict", **SMALL)).media.media_type == media_type


def test_base64_that_is_cut_short_is_no_picture() -> None:
    whole = body_of("toolkit", "any_type")
    with pytest.raises(ServerError, match="is not a picture"):
        hf_image.decode(Body("application/json", whole[: len(whole) // 2]))


def test_no_recording_holds_a_token() -> None:
    requests = [file.read_bytes().lower() for file in (RECORDINGS / "toolkit").glob("*.request.http")]
    assert not any(b"authorization" in request for request in requests)
