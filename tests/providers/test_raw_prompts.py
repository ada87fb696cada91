"""What a raw route sends is what `hfgen render` prints, and its BOS is written once, whoever writes it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from gguf_files import gguf
from hfgen import HuggingFaceInference
from hfgen.errors import ModelNotSupportedError
from hfgen.messages import Messages
from hfgen.providers.notices import PromptDiffers
from loopback import Visit, serving

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[a]{% endif %}"
)
PROMPT = "<s>[user]Hi[a]"
HI: Messages = [{"role": "user", "content": "Hi"}]
CHUNK = '{"choices":[{"index":0,"text":"ok","finish_reason":"stop"}]}'
TGI_TOKEN = (
    '{"index":1,"token":{"id":5,"text":"ok","logprob":0,"special":false},"generated_text":"ok",'
    '"details":{"finish_reason":"length","generated_tokens":1}}'
)


def vllm(root: str) -> dict[str, Any]:
    return {"/v1/models": {"data": [{"id": "m", "owned_by": "vllm", "root": root, "max_model_len": 99}]}}


def llamacpp(template: str, bos: list[str]) -> dict[str, Any]:
    return {
        "/props": {"default_generation_settings": {"n_ctx": 99}, "chat_template": template, "bos_token": "<s>"},
        "/tokenize": {"tokens": [{"id": 1, "piece": piece} for piece in bos]},
    }


def tgi(root: str, start: int) -> dict[str, Any]:
    return {
        "/info": {"model_id": root, "max_total_tokens": 99},
        "/tokenize": [{"id": 1, "text": "", "start": 0, "stop": start}, {"id": 9, "text": "a", "start": 0, "stop": 1}],
    }


async def sent(replies: Mapping[str, Any], model: str | None = None, **options: Any) -> dict[str, Any]:
    """The body of the one generation that a raw call makes."""

    async def talk(visit: Visit) -> None:
        if visit.path in replies:
            await visit.answer(json.dumps(replies[visit.path]).encode())
        elif visit.path in ("/v1/completions", "/generate_stream"):
            await visit.begin_stream()
            await visit.event(CHUNK if visit.path == "/v1/completions" else TGI_TOKEN)
            await visit.end_stream()
        else:
            await visit.answer(b"{}", status="404 Not Found")

    async with serving(talk) as server:
        call = HuggingFaceInference.create_async_generator(model, HI, api_base=server.url, mode="raw", **options)
        async with aclosing(call) as events:
            async for _ in events:
                pass
        body: dict[str, Any] = json.loads(
            next(v.body for v in server.visits if v.path in ("/v1/completions", "/generate_stream"))
        )
    return body


@pytest.fixture
def model(tmp_path: Path) -> Path:
    config = {"chat_template": TEMPLATE, "bos_token": "<s>", "added_tokens_decoder": {}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path


async def test_vllm_is_told_to_add_none_and_gets_the_whole_prompt_of_the_folder_it_serves(model: Path) -> None:
    body = await sent(vllm(str(model)))
    assert body["prompt"] == PROMPT
    assert body["add_special_tokens"] is False


async def test_a_folder_named_by_the_caller_gives_the_template_and_the_server_its_own_name(model: Path) -> None:
    body = await sent(vllm(str(model)), str(model))
    assert (body["model"], body["prompt"]) == ("m", PROMPT)


async def test_a_gguf_file_named_by_the_caller_gives_the_template(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    values = {
        "tokenizer.ggml.tokens": ["<s>"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.chat_template": "{{ bos_token }}gguf",
    }
    file.write_bytes(gguf(values))
    assert (await sent(llamacpp("server", ["<s>"]), str(file)))["prompt"] == "gguf"


@pytest.mark.parametrize(("start", "prompt"), [(0, "[user]Hi[a]"), (1, PROMPT)])
async def test_tgi_gets_no_bos_where_its_tokenizer_adds_one(model: Path, start: int, prompt: str) -> None:
    assert (await sent(tgi(str(model), start)))["inputs"] == prompt


@pytest.mark.parametrize(("bos", "prompt"), [(["<s>"], "[user]Hi[a]"), ([], PROMPT)])
async def test_llamacpp_gets_no_bos_where_its_vocabulary_adds_one(bos: list[str], prompt: str) -> None:
    assert (await sent(llamacpp(TEMPLATE, bos)))["prompt"] == prompt


async def test_a_bos_that_the_template_does_not_have_is_said_once() -> None:
    with pytest.warns(PromptDiffers, match="<s>"):
        body = await sent(llamacpp("{{ messages[0].content }}", ["<s>"]))
    assert body["prompt"] == "Hi"


async def test_vllms_own_template_serves_where_nothing_more_trusted_has_one() -> None:
    info = {"tokenizer_class": "X", "chat_template": TEMPLATE, "bos_token": {"content": "<s>"}}
    assert (await sent(vllm("/nowhere/at/all") | {"/tokenizer_info": info}))["prompt"] == PROMPT


async def test_llamacpps_tool_template_is_taken_where_tools_are_given() -> None:
    replies = llamacpp("plain", [])
    replies["/props"]["chat_template_tool_use"] = "tools"
    assert (await sent(replies, tools=[]))["prompt"] == "tools"
    assert (await sent(replies))["prompt"] == "plain"


async def test_a_template_can_be_given_by_name_or_by_source() -> None:
    replies = llamacpp("plain", [])
    replies["/props"]["chat_template_tool_use"] = "tools"
    assert (await sent(replies, chat_template="tool_use"))["prompt"] == "tools"
    assert (await sent(replies, chat_template="{{ 'own' }}"))["prompt"] == "own"


SHOWN: dict[str, Any] = {
    "templated_text": "<s>[INST] Hi [/INST]",
    "tokenize_response": [
        {"id": 1, "text": "<s>", "start": 0, "stop": 3},
        {"id": 7, "text": "[", "start": 3, "stop": 4},
    ],
}


@pytest.mark.parametrize(("start", "prompt"), [(0, "[INST] Hi [/INST]"), (1, "<s>[INST] Hi [/INST]")])
async def test_tgi_renders_the_prompt_itself_where_nobody_tells_its_template(start: int, prompt: str) -> None:
    """Its tokenizer's BOS (here the token 1) is not written twice."""
    assert (await sent(tgi("/data", start) | {"/chat_tokenize": SHOWN}))["inputs"] == prompt


async def test_tgi_is_not_asked_to_render_where_a_template_is_known_or_tools_are_given(model: Path) -> None:
    assert (await sent(tgi(str(model), 1) | {"/chat_tokenize": SHOWN}))["inputs"] == PROMPT
    assert (await sent(tgi("/data", 0) | {"/chat_tokenize": SHOWN}, tools=[{"type": "function"}]))["inputs"] == "Hi"
    assert (await sent(tgi("/data", 0)))["inputs"] == "Hi"


@pytest.mark.parametrize(
    ("replies", "out", "source"),
    [
        (tgi("/data", 0) | {"/chat_tokenize": SHOWN}, "[INST] Hi [/INST]", "/chat_tokenize"),
        (llamacpp(TEMPLATE, ["<s>"]), PROMPT, "/props"),
        (
            vllm("/nowhere") | {"/tokenizer_info": {"chat_template": TEMPLATE, "bos_token": "<s>"}},
            PROMPT,
            "/tokenizer_info",
        ),
    ],
)
async def test_render_asks_a_server_and_names_where_the_prompt_is_from(
    replies: Mapping[str, Any], out: str, source: str
) -> None:
    async def talk(visit: Visit) -> None:
        known = visit.path in replies
        await visit.answer(
            json.dumps(replies.get(visit.path, {})).encode(), status="200 OK" if known else "404 Not Found"
        )

    async with serving(talk) as server:
        command = [sys.executable, "-m", "hfgen", "render", "-v", "--api-base", server.url, "Hi"]
        run = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        printed, said = await run.communicate()
    assert printed.decode() == out, said
    assert source in said.decode().partition("\n")[0]


async def test_a_path_without_a_server_is_refused_with_the_ways_out() -> None:
    call = HuggingFaceInference.create_async_generator("./model", HI, api_key="hf_x")
    async with aclosing(call) as events:
        with pytest.raises(ModelNotSupportedError, match="api_base="):
            await anext(events)


def rendered(*words: str) -> bytes:
    run = subprocess.run([sys.executable, "-m", "hfgen", "render", *words], capture_output=True, check=True)
    return run.stdout


async def test_render_prints_what_a_raw_route_sends(model: Path) -> None:
    printed = rendered("-m", str(model), "Hi").decode()
    assert (await sent(vllm(str(model))))["prompt"] == printed
    assert "<s>" + (await sent(tgi(str(model), 0)))["inputs"] == printed
