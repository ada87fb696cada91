"""The Responses API's events tell one story: what grew piece by piece is what the last event holds."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import given, strategies as st

from hfgen.events import Event, FinishReason, Logprobs, Progress, Reasoning, TokenLogprob, ToolCallDelta, Usage
from hfgen.gateway.response_events import ResponseEvents
from hfgen.openai_api.refusal import Refusal

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
calls = st.builds(ToolCallDelta, st.integers(0, 2), texts, texts, st.text("{}:a", max_size=5))
logs = st.builds(Logprobs, st.tuples(st.builds(TokenLogprob, texts, st.floats(-9, 0))))
said = st.lists(st.one_of(texts, st.builds(Reasoning, texts), calls, logs, st.just(Progress("waiting"))), max_size=12)
ends = st.sampled_from([FinishReason("stop"), FinishReason("length"), FinishReason("tool_calls")])


def heard(stream: bytes) -> list[Any]:
    found: list[Any] = []
    for block in stream.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def told(events: Iterable[Event]) -> list[Any]:
    wording = ResponseEvents({"id": "resp_1"})
    return heard(b"".join(map(wording.chunk, events)) + wording.end())


def followed(events: list[Any]) -> list[Any]:
    """The items as one grows them who follows the deltas alone."""
    items: dict[int, Any] = {}
    for event in events:
        match event["type"].removeprefix("response."):
            case "output_item.added":
                assert event["output_index"] == len(items)
                items[event["output_index"]] = event["item"]
            case "content_part.added":
                items[event["output_index"]]["content"].append(event["part"])
            case "output_text.delta" | "reasoning_text.delta":
                items[event["output_index"]]["content"][event["content_index"]]["text"] += event["delta"]
            case "output_text.done":
                items[event["output_index"]]["content"][0]["logprobs"] = event["logprobs"]
                assert items[event["output_index"]]["content"][0]["text"] == event["text"]
            case "function_call_arguments.delta":
                items[event["output_index"]]["arguments"] += event["delta"]
            case "output_item.done":
                grown = items[event["output_index"]]
                assert grown == {**event["item"], "status": "in_progress"}
                items[event["output_index"]] = event["item"]
            case _:
                pass
    return list(items.values())


@given(said, ends, st.builds(Usage, st.integers(0, 99), st.integers(0, 99)))
def test_whoever_follows_the_pieces_has_the_whole(events: list[Event], end: FinishReason, usage: Usage) -> None:
    story = told([*events, usage, end])
    assert [event["sequence_number"] for event in story] == list(range(len(story)))
    assert [event["type"] for event in story[:2]] == ["response.created", "response.in_progress"]
    last = story[-1]
    assert last["type"] == ("response.incomplete" if end.reason == "length" else "response.completed")
    assert followed(story) == last["response"]["output"]
    assert last["response"]["usage"]["total_tokens"] == usage.total_tokens
    words = "".join(event for event in events if isinstance(event, str))
    messages = [item for item in last["response"]["output"] if item["type"] == "message"]
    assert "".join(item["content"][0]["text"] for item in messages) == words


def test_an_answer_in_words_has_the_events_of_openai_s_server_in_their_order() -> None:
    assert [event["type"] for event in told(["Hi", " there", FinishReason("stop")])] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_calls_side_by_side_grow_apart() -> None:
    pieces = [ToolCallDelta(0, "a", "f", "{"), ToolCallDelta(1, "b", "g", "["), ToolCallDelta(0, arguments="}")]
    response = told([*pieces, FinishReason("tool_calls")])[-1]["response"]
    assert [(item["call_id"], item["name"], item["arguments"]) for item in response["output"]] == [
        ("a", "f", "{}"),
        ("b", "g", "["),
    ]
    assert response["status"] == "completed"


def test_thoughts_are_an_item_of_their_own_before_the_message() -> None:
    response = told([Reasoning("hm"), "Yes", FinishReason("stop")])[-1]["response"]
    thought, message = response["output"]
    assert (thought["type"], thought["content"]) == ("reasoning", [{"type": "reasoning_text", "text": "hm"}])
    assert (message["type"], message["content"][0]["text"]) == ("message", "Yes")


def test_an_answer_that_is_too_long_says_so_in_its_state_and_in_its_last_item() -> None:
    response = told(["Hi", FinishReason("length")])[-1]["response"]
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][-1]["status"] == "incomplete"


def test_a_fault_fails_the_response_and_is_an_error_that_openai_s_client_raises() -> None:
    wording = ResponseEvents({"id": "resp_1"})
    story = heard(wording.chunk("Hi") + wording.fault(Refusal(502, "cut"), "req_1"))
    failed, error = story[-2:]
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"] == {"code": "server_error", "message": "cut"}
    assert failed["response"]["output"][0]["status"] == "in_progress"
    assert (error["type"], error["message"], error["error"]["request_id"]) == ("error", "cut", "req_1")


def test_while_the_model_is_waited_for_nothing_is_said_so_that_an_error_can_be_a_status() -> None:
    assert ResponseEvents({"id": "resp_1"}).chunk(Progress("loading")) == b""
