"""Any events go through a real gateway and come back as they were, with hfgen's own client at both ends."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings as running, strategies as st

from gateway_server import gateway
from hfgen import HuggingFaceInference, Session
from hfgen.events import Event, FinishReason, Logprobs, Progress, Reasoning, TokenLogprob, ToolCallDelta, Usage
from hfgen.gateway.settings import Settings
from hfgen.messages import Message
from hfgen.openai_api.chat_chunks import DONE, ChatChunks
from loopback import Visit, serving

pytestmark = pytest.mark.anyio
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
logs = st.floats(-50, 0, allow_subnormal=False)
tokens = st.builds(TokenLogprob, texts, logs, st.lists(st.builds(TokenLogprob, texts, logs), max_size=2).map(tuple))
calls = st.builds(ToolCallDelta, st.integers(0, 3), texts, texts, st.text("{}:ab", max_size=5))
thoughts = st.lists(st.builds(Reasoning, texts), max_size=3)
logprobs = st.builds(Logprobs, st.lists(tokens, min_size=1, max_size=2).map(tuple))
pieces = st.lists(st.one_of(texts, logprobs), max_size=8)
counts = st.integers(0, 10**6)
usages = st.builds(Usage, counts, counts, counts, counts)


@dataclass
class Between:
    """A gateway, and a server behind it that says what it is told."""

    url: str = ""
    said: dict[str, bytes] = field(default_factory=dict)
    numbers: Any = field(default_factory=itertools.count)

    async def talk(self, visit: Visit) -> None:
        if visit.path != "/v1/chat/completions":
            await visit.answer(b"{}", status="404 Not Found")
            return
        name = next(name for name in self.said if f'"{name}"'.encode() in visit.body)
        await visit.answer(self.said.pop(name), "text/event-stream")

    async def back(self, events: list[Event], usage: Usage, session: Session) -> list[Event]:
        """What a client before the gateway gets, when the server behind says these events."""
        name = f"model-{next(self.numbers)}"
        wording = ChatChunks("chatcmpl-1", 1, name, with_usage=True)
        self.said[name] = b"".join(map(wording.chunk, events)) + wording.usage_chunk(usage) + DONE
        asked: list[Message] = [{"role": "user", "content": "Hello"}]
        answer = HuggingFaceInference.create_async_generator(
            name, asked, api_base=f"{self.url}/v1/chat/completions", session=session
        )
        return [event async for event in answer if not isinstance(event, Progress)]


@pytest.fixture(scope="module")
async def between() -> AsyncIterator[Between]:
    made = Between()
    async with serving(made.talk) as server, gateway(Settings(api_base=(server.url,))) as url:
        made.url = url
        yield made


@running(deadline=None, max_examples=100)
@given(thoughts, pieces, st.lists(calls, max_size=4), st.sampled_from(["stop", "length"]), usages)
async def test_any_events_come_back_as_they_were(
    between: Between, thoughts: list[Event], pieces: list[Event], calls: list[Event], reason: Any, usage: Usage
) -> None:
    events: list[Event] = [*thoughts, "a", *pieces, *calls, FinishReason("tool_calls" if calls else reason)]
    async with Session() as session:
        back = await between.back(events, usage, session)
    assert said(back) == said([*events, usage])
    assert [event for event in back if isinstance(event, str | Reasoning | Logprobs)] == [*thoughts, "a", *pieces]


def said(events: list[Event]) -> dict[str, Any]:
    """All that was said, whatever the number of pieces it came in."""
    found: dict[str, Any] = {"text": "", "thoughts": "", "tokens": (), "calls": {}, "ends": [], "usage": []}
    for event in events:
        match event:
            case str():
                found["text"] += event
            case Reasoning():
                found["thoughts"] += event.text
            case Logprobs():
                found["tokens"] += event.tokens
            case ToolCallDelta():
                id_, name, arguments = found["calls"].get(event.index, (event.id, event.name, ""))
                found["calls"][event.index] = (id_, name, arguments + event.arguments)
            case FinishReason():
                found["ends"].append(event.reason)
            case Usage():
                found["usage"].append(event)
            case _:
                raise AssertionError(event)
    return found
