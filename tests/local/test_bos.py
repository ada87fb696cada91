"""The real llama.cpp counts a prompt's tokens: as many over a chat route as over a raw one, whoever adds the BOS."""

import asyncio
import json
from pathlib import Path
from typing import Literal

import pytest

from gguf_files import with_flag
from hfgen import HuggingFaceInference, Session, Usage
from hfgen.limits import Limits
from hfgen.messages import Message
from hfgen.prompts import get_inputs
from hfgen.providers.local import local_target
from hfgen.sources import facts_of_gguf
from hfgen.wire import WireRequest

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engines")]

TALK: list[Message] = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]


async def prompt_tokens(file: Path, mode: Literal["chat", "raw"]) -> int:
    call = HuggingFaceInference.create_async_generator("", TALK, model_file=str(file), mode=mode, max_tokens=1)
    (usage,) = [event async for event in call if isinstance(event, Usage)]
    return usage.prompt_tokens


@pytest.fixture(params=[False, True], ids=["vocabulary adds none", "vocabulary adds it"])
def adds_bos(request: pytest.FixtureRequest) -> bool:
    flag: bool = request.param
    return flag


@pytest.fixture
def file(weights: Path, tmp_path: Path, adds_bos: bool) -> Path:
    """The bundled model, whose vocabulary adds no BOS; and a copy whose does."""
    copy = tmp_path / f"bos-{adds_bos}.gguf"
    with_flag(weights, copy, "tokenizer.ggml.add_bos_token", adds_bos)
    assert facts_of_gguf(copy).adds_bos is adds_bos
    return copy


async def test_a_raw_prompt_has_as_many_tokens_as_the_conversation_has(file: Path) -> None:
    assert await prompt_tokens(file, "raw") == await prompt_tokens(file, "chat")


async def test_the_count_is_that_of_the_rendered_prompt_with_no_bos_but_its_own(file: Path, adds_bos: bool) -> None:
    prompt = get_inputs(TALK, await asyncio.to_thread(facts_of_gguf, file), "")
    target = await local_target(file)
    async with Session() as session:

        async def count(*, add_special: bool) -> int:
            body = json.dumps({"content": prompt, "add_special": add_special, "parse_special": True}).encode()
            url = f"{target.base.removesuffix('/v1')}/tokenize"
            request = WireRequest(url, body, headers={"Content-Type": "application/json"})
            answer = await session.fetch(request, target, Limits(), 2**20)
            return len(json.loads(answer.data)["tokens"])

        exact = await count(add_special=False)
        assert await count(add_special=True) == exact + adds_bos, "what the whole prompt would be read as"
    assert await prompt_tokens(file, "raw") == exact
