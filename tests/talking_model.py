"""Upstream models on loopback for the browser's tests: they say what they are told, at a pace that can be seen."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from loopback import Visit

Answering = Callable[[Visit, dict[str, Any]], Awaitable[None]]
LISTED = ("sea-otter-7b", "river-otter-1b")


def talking(answering: Answering) -> Callable[[Visit], Awaitable[None]]:
    """A server that lists two models and answers chats and raw prompts with `answering`."""

    async def talk(visit: Visit) -> None:
        if visit.path == "/v1/models":
            models = [{"id": name, "object": "model", "owned_by": "vllm"} for name in LISTED]
            await visit.answer(json.dumps({"object": "list", "data": models}).encode())
        elif visit.path in ("/v1/chat/completions", "/v1/completions"):
            await answering(visit, json.loads(visit.body))
        else:
            await visit.answer(b'{"error":"no such route"}', status="404 Not Found")

    return talk


def delta(**said: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": said, "finish_reason": None}]})


def piece(text: str) -> str:
    return json.dumps({"choices": [{"index": 0, "text": text, "finish_reason": None}]})


def end(tokens: int, reason: str = "stop") -> str:
    usage = {"prompt_tokens": 21, "completion_tokens": tokens, "total_tokens": 21 + tokens}
    return json.dumps({"choices": [{"index": 0, "delta": {}, "text": "", "finish_reason": reason}], "usage": usage})


async def say(
    visit: Visit, words: Iterable[str], *, thought: str = "", pace: float = 0.0, reason: str = "stop"
) -> None:
    """One whole answer, a word an event."""
    said = list(words)
    await visit.begin_stream()
    if thought:
        await visit.event(delta(reasoning_content=thought))
    for word in said:
        await visit.event(delta(content=word) if "chat" in visit.path else piece(word))
        if pace:
            await asyncio.sleep(pace)
    await visit.event(end(len(said), reason))
    await visit.event("[DONE]")
    await visit.end_stream()
