"""A model server for batches: the answer to a prompt is known, and each prompt may fail in its own way first."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from loopback import Server, Visit, serving

MODELS = json.dumps({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "me"}]}).encode()
WORDS = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    404: "Not Found",
    413: "Payload Too Large",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def answer_to(prompt: str) -> str:
    """The one right answer."""
    return f"You said: {prompt} ✓"


@dataclass
class AnsweringModel:
    """What it does with each prompt.

    Attributes:
        faults: For a prompt what its first requests get: a status, or `cut` (a stream without an end).
        says: The answer, and why it ends, by the request's body.
        hold: Waited for before each answer.
        heads: For a prompt, further header lines of its answer.
        pages: What it says of itself, by path.
        asked: How often each prompt was asked.
        bodies: Every request, in order.
        headers: Of every request, in order.
        at_once: Requests that are being answered now.
        most_at_once: The most that there were.
    """

    faults: dict[str, list[int | str]] = field(default_factory=dict)
    says: Callable[[dict[str, Any]], tuple[str, str]] = lambda body: (
        answer_to(body["messages"][-1]["content"]),
        "stop",
    )
    hold: Callable[[str], Any] | None = None
    heads: Callable[[str], str] = lambda prompt: ""
    pages: dict[str, bytes] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, visit: Visit) -> None:
        if visit.method == "GET" or not visit.path.endswith("/chat/completions"):
            path = visit.path.partition("?")[0]
            page = self.pages.get(path, MODELS if path == "/v1/models" else None)
            await visit.answer(page or b"{}", status="404 Not Found" if page is None else "200 OK")
            return
        body = json.loads(visit.body)
        prompt = body["messages"][-1]["content"]
        self.bodies.append(body)
        self.headers.append(visit.headers)
        self.asked[prompt] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.hold is not None:
                await self.hold(prompt)
            await self._answer(visit, body, prompt)
        finally:
            self.at_once -= 1

    async def _answer(self, visit: Visit, body: dict[str, Any], prompt: str) -> None:
        waiting = self.faults.get(prompt)
        fault = waiting.pop(0) if waiting else 200
        if isinstance(fault, int) and fault != 200:
            error = {"error": {"message": f"{fault} for {prompt}", "type": "test", "code": None}}
            await visit.answer(json.dumps(error).encode(), status=f"{fault} {WORDS[fault]}")
            return
        text, finish = self.says(body)
        await visit.begin_stream(self.heads(prompt))
        pieces = [text[at : at + 4] for at in range(0, len(text), 4)]
        for piece in pieces[:2] if fault == "cut" else pieces:
            await visit.event(json.dumps({"choices": [{"index": 0, "delta": {"content": piece}}]}))
        if fault == "cut":
            visit.writer.close()
            return
        await visit.event(json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}))
        usage = {"prompt_tokens": 5, "completion_tokens": len(pieces)}
        await visit.event(json.dumps({"choices": [], "usage": usage}))
        await visit.event("[DONE]")
        await visit.end_stream()


@asynccontextmanager
async def answering(model: AnsweringModel) -> AsyncIterator[Server]:
    async with serving(model) as server:
        yield server


async def never(_: str) -> None:
    """Hold every answer for good."""
    await asyncio.Event().wait()
