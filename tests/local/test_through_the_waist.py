"""The real llama.cpp, end to end through the one pipeline."""

import asyncio
import json
import re
import time
from contextlib import aclosing
from pathlib import Path
from statistics import median
from typing import Literal

import pytest

from hfgen import FinishReason, HuggingFaceInference, Progress, Session, Usage
from hfgen.events import Event
from hfgen.limits import Limits
from hfgen.messages import Message
from hfgen.providers.fitting import ConversationTrimmed
from hfgen.providers.local import local_target, stop_local_engines
from hfgen.wire import Target, WireRequest

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("weights", "engines")]

FRANCE: list[Message] = [{"role": "user", "content": "What is the capital of France?"}]
COUNT: list[Message] = [{"role": "user", "content": "Count from 1 to 200, one number a line."}]


def text_of(events: list[Event]) -> str:
    return "".join(event for event in events if isinstance(event, str))


async def test_without_a_token_the_default_is_the_local_model() -> None:
    events = [event async for event in HuggingFaceInference.create_async_generator(None, FRANCE)]
    assert text_of(events) == "The capital of France is Paris."
    usage, end = events[-2:]
    assert isinstance(usage, Usage)
    assert usage.completion_tokens > 5
    assert not usage.estimated
    assert end == FinishReason("stop", model="SmolLM2-135M-Instruct", server="local llama.cpp")


async def test_an_instance_works_as_the_class_does_and_a_session_is_shared() -> None:
    provider = HuggingFaceInference()
    async with Session() as session:
        for _ in range(2):
            events = [e async for e in provider.create_async_generator("local", FRANCE, session=session)]
            assert "Paris" in text_of(events)


async def test_max_tokens_ends_with_length_and_no_stream_gives_one_piece() -> None:
    answer = HuggingFaceInference.create_async_generator("local", COUNT, stream=False, max_tokens=5)
    events = [event async for event in answer]
    assert [event for event in events if isinstance(event, str)] == [text_of(events)]
    assert isinstance(end := events[-1], FinishReason)
    assert end.reason == "length"


async def test_an_engine_that_dies_in_the_middle_is_started_anew_and_the_answer_goes_on() -> None:
    asked: list[Message] = [{"role": "user", "content": "Why is the sky blue?"}]
    whole = text_of([e async for e in HuggingFaceInference.create_async_generator("local", asked, max_tokens=30)])
    events: list[Event] = []
    async for event in HuggingFaceInference.create_async_generator("local", asked, max_tokens=30):
        events.append(event)
        if sum(isinstance(event, str) for event in events) == 10 and isinstance(event, str):
            stop_local_engines()  # kills the process, as the system does that runs out of memory

    assert text_of(events) == whole
    assert isinstance(end := events[-1], FinishReason)
    assert end.resumed == 1


async def test_an_answer_is_continued_from_its_last_word() -> None:
    half: list[Message] = [*FRANCE, {"role": "assistant", "content": "The capital of France is"}]
    events = [e async for e in HuggingFaceInference.create_async_generator("local", half, action="continue")]
    assert text_of(events).startswith(" Paris")


async def test_any_gguf_file_is_served(weights: Path) -> None:
    answer = HuggingFaceInference.create_async_generator("", FRANCE, model_file=str(weights), temperature=0)
    assert text_of([event async for event in answer])


@pytest.mark.parametrize("leave", ["aclose", "cancel", "break"])
async def test_leaving_early_stops_the_generation_as_soon_as_closing_a_bare_socket_does(leave: str) -> None:
    """Within 100 ms beside it: how soon the engine itself sees a closed socket is a matter of the machine's load."""
    target = await local_target()
    ours: list[float] = []
    bare: list[float] = []
    async with Session() as watch:
        for _ in range(5):
            await left(leave)
            ours.append(await seconds_until_idle(watch, target))
            await left_bare(target)
            bare.append(await seconds_until_idle(watch, target))
    assert median(ours) < median(bare) + 0.1


async def left(leave: str) -> None:
    """Begin an answer that would take long, and leave it."""
    started = asyncio.Event()

    async def read() -> None:
        answer = HuggingFaceInference.create_async_generator("local", COUNT, max_tokens=2000)
        async for event in answer:
            if isinstance(event, str):
                started.set()
                if leave != "cancel":
                    break
        if leave == "aclose":
            await answer.aclose()

    task = asyncio.ensure_future(read())
    await started.wait()
    if leave == "cancel":
        task.cancel()
    await asyncio.wait([task])


async def left_bare(target: Target) -> None:
    """The same with nothing but a socket."""
    body = json.dumps({"messages": COUNT, "max_tokens": 2000, "stream": True}).encode()
    host, _, port = target.origin.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {target.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    await reader.readuntil(b"data: ")
    writer.close()


async def seconds_until_idle(watch: Session, target: Target) -> float:
    began = time.monotonic()
    async with asyncio.timeout(5):  # the whole answer would take longer
        while await busy(watch, target):
            pass
    return time.monotonic() - began


async def busy(session: Session, target: Target) -> bool:
    """Whether any slot of llama.cpp is generating."""
    root = target.base.removesuffix("/v1")
    body = await session.fetch(WireRequest(f"{root}/slots", method="GET"), target, Limits())
    return any(slot["is_processing"] for slot in json.loads(body.data))


@pytest.mark.parametrize("mode", ["chat", "raw"])
async def test_a_conversation_far_too_long_is_trimmed_answered_and_said_so(mode: Literal["chat", "raw"]) -> None:
    # Each of these turns alone is too long, so that what is left, which this engine has to read, is short.
    told = ["The number of today is seven, and the weather is fine. " * 400 for _ in range(10)]
    talk: list[Message] = [turn for text in told for turn in (asks(text), Message(role="assistant", content="I see."))]
    kept = [asks("My name is Ada."), Message(role="assistant", content="Hello, Ada.")]
    with pytest.warns(ConversationTrimmed, match="the 20 oldest of"):
        events = await until_the_first_word([*talk, *kept, *FRANCE], mode)
    trimmed = next(event for event in events if isinstance(event, Progress) and event.stage == "trimmed")
    left = re.search(r"(\d+) tokens are left of a context of (\d+)", trimmed.detail)
    assert left
    assert 30 < int(left[1]) < 200
    assert int(left[2]) == 8192
    assert text_of(events)


async def until_the_first_word(messages: list[Message], mode: Literal["chat", "raw"]) -> list[Event]:
    events: list[Event] = []
    answer = HuggingFaceInference.create_async_generator("local", messages, max_tokens=4096, mode=mode)
    async with aclosing(answer):
        async for event in answer:
            events.append(event)
            if isinstance(event, str):
                break
    return events


def asks(text: str) -> Message:
    return {"role": "user", "content": text}
