"""Hugging Face's inference toolkit with a model that writes (SmolLM2-135M), by the bytes that it sent.

`scripts/toolkit --text` plays the scenes with the real server, and writes what is replayed here.
"""

import json
from typing import Any

import pytest

from hfgen import HuggingFaceInference
from hfgen.errors import BadRequest
from hfgen.events import FinishReason, Usage
from hfgen.providers.notices import OptionIgnored
from loopback import Server
from replay import body_of, replayed

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TALK: list[Any] = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "What is the capital of France?"},
]


async def text(server: Server, messages: list[Any] | None = None, **asked: Any) -> str:
    asked = {"api_base": server.url, **asked}
    events = HuggingFaceInference.create_async_generator("", messages or [], **asked)
    return "".join([event async for event in events if isinstance(event, str)])


def wrote(name: str) -> str:
    """What the toolkit wrote in a recorded answer."""
    (said,) = json.loads(body_of("toolkit_text", name))
    return str(said["generated_text"])


async def test_a_prompt_goes_out_as_it_is_and_the_answer_comes_without_it() -> None:
    async with replayed("toolkit_text") as server:
        told = await text(server, prompt="The capital of France is", max_tokens=8, temperature=0)
        assert told == wrote("prompt")
        assert told.startswith(" Paris")


async def test_a_conversation_is_rendered_by_hfgen() -> None:
    async with replayed("toolkit_text") as server:
        assert await text(server, TALK, chat_template=CHATML, max_tokens=12, temperature=0) == wrote("conversation")


async def test_a_stop_text_is_matched_by_hfgen() -> None:
    async with replayed("toolkit_text") as server:
        assert await text(server, prompt="Count: 1, 2, 3,", stop="6", max_tokens=16, temperature=0) == " 4, 5, "
        assert wrote("stop").startswith(" 4, 5, 6")


async def test_its_tokens_are_an_estimate_and_the_end_is_a_stop_for_it_tells_neither() -> None:
    async with replayed("toolkit_text") as server:
        asked = HuggingFaceInference.create_async_generator(
            "", [], prompt="The capital of France is", max_tokens=8, temperature=0, api_base=server.url
        )
        told, usage, end = [event async for event in asked if event]
    assert isinstance(usage, Usage)
    assert usage.estimated
    assert 8 <= usage.completion_tokens <= len(str(told)) / 2
    assert isinstance(end, FinishReason)
    assert end.reason == "stop"


async def test_a_seed_is_left_out_and_the_caller_told() -> None:
    async with replayed("toolkit_text") as server:
        with pytest.warns(OptionIgnored, match="seed"):
            assert await text(server, prompt="Once", seed=7, max_tokens=2, temperature=0) == wrote("seed")


async def test_a_parameter_that_the_pipeline_does_not_know_is_named() -> None:
    async with replayed("toolkit_text") as server:
        with pytest.raises(BadRequest, match="bogus"):
            await text(server, prompt="Once", max_tokens=2, extra_data={"parameters": {"bogus": 1}})


async def test_a_model_that_writes_refuses_to_paint() -> None:
    async with replayed("toolkit_text") as server:
        with pytest.raises(BadRequest, match=r"not used by the model: \['width', 'height', 'seed'\]"):
            await text(server, prompt="a red fox in snow", width=32, height=32, seed=7)
