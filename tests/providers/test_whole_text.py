"""TGI says the whole text once more with its end: it counts where nothing else said it."""

import json
from typing import Any

import pytest

from hfgen import FinishReason, HuggingFaceInference
from loopback import Visit, serving

PROMPT = "Tell me:"
DETAILS = {"finish_reason": "eos_token", "generated_tokens": 9, "input_length": 3}


def token(text: str, *, special: bool = False) -> dict[str, Any]:
    return {"token": {"id": 1, "text": text, "special": special}, "generated_text": None}


def end(text: str, **more: Any) -> dict[str, Any]:
    return {"token": None, "generated_text": text, **more}


async def told(*answers: list[dict[str, Any]], **options: Any) -> tuple[str, FinishReason, list[str]]:
    """The text, its end, and what was sent; an answer without an end is cut."""
    sent: list[str] = []

    async def talk(visit: Visit) -> None:
        if visit.method == "GET":
            await visit.answer(b"{}", status="404 Not Found")
            return
        events = answers[len(sent)]
        sent.append(json.loads(visit.body)["inputs"])
        await visit.begin_stream()
        for event in events:
            await visit.event(json.dumps(event))
        if events[-1]["generated_text"] is None:
            visit.writer.close()
        else:
            await visit.end_stream()

    async with serving(talk) as server:
        base = f"{server.url}/generate_stream"
        asked = HuggingFaceInference.create_async_generator("m", [], api_base=base, prompt=PROMPT, **options)
        events = [event async for event in asked]
    last = events[-1]
    assert isinstance(last, FinishReason)
    return "".join(event for event in events if isinstance(event, str)), last, sent


@pytest.mark.parametrize(
    "events",
    [
        [end("all of it")],
        [end("all of it", details=DETAILS)],
        [{**token("</s>", special=True), "generated_text": "all of it", "details": DETAILS}],
    ],
    ids=["alone", "with details", "behind a special token"],
)
async def test_a_text_that_comes_only_with_the_end_is_delivered(events: list[dict[str, Any]]) -> None:
    text, last, _ = await told(events)
    assert (text, last.reason) == ("all of it", "stop")


async def test_a_text_that_came_in_tokens_is_delivered_once() -> None:
    text, _, _ = await told([token(" Hi"), token(" you"), end("Hi you", details=DETAILS)])
    assert text == " Hi you"


async def test_stop_strings_hold_for_a_text_that_comes_with_the_end() -> None:
    text, _, _ = await told([end("one END two")], stop=["END"])
    assert text == "one "


async def test_a_rest_that_comes_only_with_the_end_is_joined_at_the_seam() -> None:
    text, last, sent = await told([token("The sky"), token(" is bl")], [end(" is blue.", details=DETAILS)], heal=True)
    assert (text, last.resumed) == ("The sky is blue.", 1)
    assert sent == [PROMPT, PROMPT + "The sky"] or sent == [PROMPT, PROMPT + "The sky is"]
