"""A conversation longer than the context, on its way to a server; and a template that takes its time."""

import asyncio
import json
from typing import Any

import pytest

from hfgen import HuggingFaceInference, Progress
from hfgen.errors import PromptError, TemplateTooCostly
from hfgen.events import Event
from hfgen.messages import Message
from hfgen.prompts.isolation import RENDERER
from hfgen.providers.fitting import ConversationTrimmed
from loopback import Server, Visit, serving

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
SLOW = "{% for a in range(99999) %}" + "{% set b = a / 3.0 - 1 %}" * 500 + "{% endfor %}"  # it runs into the time limit
ANSWER = '{"choices": [{"index": 0, "delta": {"content": "ok"}, "text": "ok", "finish_reason": "stop"}]}'
LONG: list[Message] = [
    {"role": "system", "content": "Be brief."},
    *(Message(role="assistant" if turn % 2 else "user", content=f"turn {turn} " * 40) for turn in range(100)),
    {"role": "user", "content": "And now?"},
]


def llamacpp(template: str = CHATML, *, counts: bool = True) -> Any:
    """A server that says of itself what llama.cpp says; a word is a token there."""
    props = {"default_generation_settings": {"n_ctx": 2000}, "chat_template": template, "build_info": "b1"}

    async def talk(visit: Visit) -> None:
        if visit.path == "/props":
            await visit.answer(json.dumps(props).encode())
        elif visit.path == "/v1/models":
            await visit.answer(b'{"data": [{"id": "m", "owned_by": "llamacpp"}]}')
        elif visit.path == "/tokenize" and counts:
            words = json.loads(visit.body)["content"].split()
            await visit.answer(json.dumps({"tokens": list(range(len(words)))}).encode())
        elif visit.path.startswith("/v1/") and visit.method == "POST":
            await visit.begin_stream()
            await visit.event(ANSWER)
            await visit.event("[DONE]")
            await visit.end_stream()
        else:
            await visit.answer(b"{}", status="404 Not Found")

    return talk


async def answered(server: Server, messages: list[Message], **options: Any) -> list[Event]:
    answer = HuggingFaceInference.create_async_generator("m", messages, api_base=server.url, max_tokens=100, **options)
    return [event async for event in answer]


def sent(server: Server) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(server.visits[-1].body)
    return body


@pytest.mark.parametrize("mode", ["chat", "raw"])
async def test_the_oldest_turns_are_left_out_and_the_caller_is_told(mode: str) -> None:
    async with serving(llamacpp()) as server:
        with pytest.warns(ConversationTrimmed, match="oldest of 102 messages"):
            events = await answered(server, LONG, mode=mode)
    trimmed = [event for event in events if isinstance(event, Progress) and event.stage == "trimmed"]
    assert len(trimmed) == 1
    assert "of a context of 2000" in trimmed[0].detail
    text = json.dumps(sent(server))
    assert "Be brief." in text
    assert "And now?" in text
    assert "turn 99" in text
    assert "turn 0 " not in text
    assert len(text.split()) > 1000
    assert sum(visit.path == "/tokenize" for visit in server.visits) <= 4


async def test_without_a_tokenizer_route_an_estimate_does() -> None:
    async with serving(llamacpp(counts=False)) as server:
        with pytest.warns(ConversationTrimmed):
            await answered(server, LONG)
    assert "turn 0 " not in json.dumps(sent(server))


async def test_what_cannot_fit_by_an_estimate_says_that_it_is_one() -> None:
    async with serving(llamacpp(counts=False)) as server:
        with pytest.raises(PromptError, match=r"takes \d+ tokens by estimate .* and 1900 fit"):
            await answered(server, [*LONG, {"role": "user", "content": "word " * 3000}])


TGI_TOKEN = (
    '{"index":1,"token":{"id":5,"text":"ok","logprob":0,"special":false},"generated_text":"ok",'
    '"details":{"finish_reason":"length","generated_tokens":1}}'
)


def counting(kind: str) -> tuple[Any, list[dict[str, Any]]]:
    """TGI or vLLM, which count words as tokens, and what they were asked to count."""
    about = {
        "tgi": ("/info", {"model_id": "/data", "max_total_tokens": 2000}),
        "vllm": ("/v1/models", {"data": [{"id": "m", "owned_by": "vllm", "root": "/data", "max_model_len": 2000}]}),
    }[kind]
    asked: list[dict[str, Any]] = []

    async def talk(visit: Visit) -> None:
        if visit.path == about[0]:
            await visit.answer(json.dumps(about[1]).encode())
        elif visit.path == "/tokenize":
            body = json.loads(visit.body)
            words = (body["inputs"] if kind == "tgi" else body["prompt"]).split()
            spans = [{"id": 1, "text": word, "start": 0, "stop": 1} for word in words]
            asked.append(body)
            await visit.answer(
                json.dumps(spans if kind == "tgi" else {"count": 1, "tokens": [1] * len(words)}).encode()
            )
        elif visit.method == "POST":
            await visit.begin_stream()
            await visit.event(TGI_TOKEN if visit.path == "/generate_stream" else ANSWER)
            await visit.end_stream()
        else:
            await visit.answer(b"{}", status="404 Not Found")

    return talk, asked


@pytest.mark.parametrize("mode", ["chat", "raw"])
@pytest.mark.parametrize("kind", ["tgi", "vllm"])
async def test_tgi_and_vllm_count_with_their_own_tokenizer_and_add_nothing(kind: str, mode: str) -> None:
    talk, asked = counting(kind)
    async with serving(talk) as server:
        with pytest.warns(ConversationTrimmed, match=r"1\d\d\d tokens are left of a context of 2000"):
            await answered(server, LONG, mode=mode)
        text = json.dumps(sent(server))
    assert asked
    assert all(body["add_special_tokens"] is False for body in asked)
    assert "turn 99" in text
    assert "turn 0 " not in text


async def test_fit_false_sends_everything() -> None:
    async with serving(llamacpp()) as server:
        await answered(server, LONG, fit=False)
    assert len(sent(server)["messages"]) == 102


async def test_a_short_conversation_costs_no_counting() -> None:
    async with serving(llamacpp()) as server:
        await answered(server, [{"role": "user", "content": "Hi"}], mode="raw")
    assert not [visit for visit in server.visits if visit.path == "/tokenize"]


async def test_a_last_turn_that_cannot_fit_is_an_error_with_both_numbers() -> None:
    async with serving(llamacpp()) as server:
        with pytest.raises(PromptError, match=r"takes 300\d tokens .* and 1900 fit"):
            await answered(server, [*LONG, {"role": "user", "content": "word " * 3000}])


async def test_a_template_can_be_rendered_in_a_process_of_its_own() -> None:
    async with serving(llamacpp(CHATML)) as server:
        await answered(server, [{"role": "user", "content": "Hi"}], mode="raw", isolate=True)
        assert sent(server)["prompt"] == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant"
        assert RENDERER.pid is not None
    async with serving(llamacpp("{{ 7 ** 300000000 }}")) as server:
        with pytest.raises(TemplateTooCostly):
            await answered(server, [{"role": "user", "content": "Hi"}], mode="raw", isolate=True)


async def test_the_event_loop_lives_while_a_template_is_stopped() -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    async with serving(llamacpp(SLOW)) as server:
        heart = asyncio.ensure_future(beat())
        with pytest.raises(TemplateTooCostly):
            await answered(server, [{"role": "user", "content": "Hi"}], mode="raw")
        heart.cancel()
    assert beats > 10
