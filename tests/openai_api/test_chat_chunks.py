"""What the gateway says is what hfgen's own client understands: one is the inverse of the other."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hfgen.dialects import openai_chat
from hfgen.events import Event, FinishReason, Logprobs, Progress, Reasoning, Resumed, TokenLogprob, ToolCallDelta, Usage
from hfgen.openai_api.chat_chunks import DONE, ChatChunks, whole
from hfgen.wire import END, Body

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
logs = st.floats(-50, 0, allow_subnormal=False)
tokens = st.builds(TokenLogprob, texts, logs, st.lists(st.builds(TokenLogprob, texts, logs), max_size=2).map(tuple))
counts = st.integers(0, 10**6)
calls = st.builds(ToolCallDelta, st.integers(0, 3), texts, texts, st.text("{}:ab", max_size=5))
said = st.one_of(
    texts, st.builds(Reasoning, texts), st.builds(Logprobs, st.lists(tokens, min_size=1, max_size=2).map(tuple)), calls
)
reasons = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])


def chunks(stream: bytes) -> list[Any]:
    blocks = [block for block in stream.decode().split("\n\n") if block]
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [block.removeprefix("data: ") for block in blocks]


def understood(stream: bytes) -> list[Any]:
    return [event for data in chunks(stream) for event in openai_chat.decode(data.encode())]


@given(st.lists(said, max_size=12), reasons, st.builds(Usage, counts, counts, counts, counts))
def test_any_events_come_back_as_they_were(events: list[Event], reason: Any, usage: Usage) -> None:
    wording = ChatChunks("chatcmpl-1", 1, "m", with_usage=True)
    stream = b"".join(map(wording.chunk, [*events, FinishReason(reason)])) + wording.usage_chunk(usage) + DONE
    named: set[int] = set()
    expected: list[Any] = []
    for event in events:
        if isinstance(event, ToolCallDelta):  # OpenAI says id and name once
            expected.append(ToolCallDelta(event.index, arguments=event.arguments) if event.index in named else event)
            named.add(event.index)
        else:
            expected.append(event)
    assert understood(stream) == [*expected, FinishReason(reason), usage, END]


@given(st.lists(said, max_size=12), reasons)
def test_a_whole_answer_says_what_the_stream_would_have_said(events: list[Event], reason: Any) -> None:
    answer = whole("chatcmpl-1", 1, "m", [[*events, Usage(3, 4), FinishReason(reason)]])
    heard = openai_chat.decode(Body("application/json", answer))
    texts = "".join(event for event in events if isinstance(event, str))
    assert "".join(event for event in heard if isinstance(event, str)) == texts
    thoughts = "".join(event.text for event in events if isinstance(event, Reasoning))
    assert "".join(event.text for event in heard if isinstance(event, Reasoning)) == thoughts
    assert FinishReason(reason) in heard
    assert Usage(3, 4) in heard


def test_the_first_delta_names_the_role_and_no_other_does() -> None:
    wording = ChatChunks("chatcmpl-1", 1, "m")
    events: list[Event] = ["a", "b", FinishReason("stop")]
    first, second, end = map(json.loads, chunks(b"".join(map(wording.chunk, events))))
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "a"}
    assert second["choices"][0]["delta"] == {"content": "b"}
    assert end["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    assert "usage" not in first


def test_a_stream_with_usage_says_in_every_chunk_that_it_has_none_yet() -> None:
    wording = ChatChunks("chatcmpl-1", 1, "m", with_usage=True)
    said = chunks(wording.chunk("a") + wording.chunk("b") + wording.usage_chunk(Usage(1, 2)))
    assert [json.loads(data)["usage"] is None for data in said] == [True, True, False]
    assert json.loads(said[-1])["choices"] == []


@pytest.mark.parametrize("event", [Progress("waiting"), Resumed(2, "cut")])
def test_what_openai_has_no_word_for_is_not_said(event: Event) -> None:
    assert ChatChunks("chatcmpl-1", 1, "m").chunk(event) == b""
