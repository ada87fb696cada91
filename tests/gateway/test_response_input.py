"""What the Responses API says, in the shape of a chat: the same conversation, nothing lost, nothing made up."""

from typing import Any

import msgspec
import pytest

from hfgen.gateway.response_input import arguments
from hfgen.gateway.response_schema import ResponsesRequest
from hfgen.openai_api.bounds import Bounds
from hfgen.openai_api.refusal import Refusal

PICTURE = "data:image/png;base64,AAAA"


def asked(given: Any, **more: Any) -> dict[str, Any]:
    request = msgspec.convert({"input": given, **more}, ResponsesRequest)
    return arguments(request, Bounds(max_tokens=100))


def test_a_text_is_the_user_s_and_instructions_are_the_system_s() -> None:
    assert asked("Hi", instructions="Be kind")["messages"] == [
        {"role": "system", "content": "Be kind"},
        {"role": "user", "content": "Hi"},
    ]


def test_parts_of_text_alone_are_one_text() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert asked([{"role": "user", "content": parts}])["messages"] == [{"role": "user", "content": "ab"}]


def test_a_picture_stays_a_part() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": PICTURE, "detail": "low"}]
    assert asked([{"role": "user", "content": parts}])["messages"][0]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
    ]


def test_what_the_assistant_thought_said_and_called_is_one_turn() -> None:
    def call(name: str) -> dict[str, str]:
        return {"type": "function_call", "call_id": f"c{name}", "name": name, "arguments": "{}"}

    items = [
        {"role": "user", "content": "Weather?"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see"}]},
        call("f"),
        call("g"),
        {"type": "function_call_output", "call_id": "cf", "output": "sun"},
        {"type": "function_call_output", "call_id": "cg", "output": [{"type": "input_text", "text": "rain"}]},
        {"role": "assistant", "content": "Both"},
    ]
    _, turn, one, two, last = asked(items)["messages"]
    assert (turn["reasoning_content"], turn["content"]) == ("hm", "Let me see")
    assert [call["function"]["name"] for call in turn["tool_calls"]] == ["f", "g"]
    assert one == {"role": "tool", "tool_call_id": "cf", "content": "sun"}
    assert two == {"role": "tool", "tool_call_id": "cg", "content": "rain"}
    assert last == {"role": "assistant", "content": "Both"}


def test_two_messages_of_the_assistant_stay_two() -> None:
    items = [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert [turn["content"] for turn in asked(items)["messages"]] == ["a", "b"]


def test_functions_are_told_in_the_chat_s_form() -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
    found = asked("Hi", tools=[tool], tool_choice={"type": "function", "name": "f"}, parallel_tool_calls=False)
    function = {"name": "f", "parameters": {"type": "object"}, "strict": True}
    assert found["tools"] == [{"type": "function", "function": function}]
    assert found["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert found["extra_data"] == {"parallel_tool_calls": False}


def test_tools_that_are_not_allowed_are_not_told() -> None:
    tools = [{"type": "function", "name": name} for name in "fgh"]
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}
    found = asked("Hi", tools=tools, tool_choice=allowed)
    assert (found["tools"], found["tool_choice"]) == ([{"type": "function", "function": {"name": "g"}}], "required")


def test_the_form_of_the_text_is_a_response_format() -> None:
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    assert asked("Hi", text={"format": form})["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
    }
    assert asked("Hi", text={"format": {"type": "json_object"}})["response_format"] == {"type": "json_object"}
    assert "response_format" not in asked("Hi", text={"format": {"type": "text"}, "verbosity": "low"})


@pytest.mark.parametrize(("most", "sent"), [(None, 100), (7, 7), (1000, 100)])
def test_the_longest_answer_has_a_ceiling(most: int | None, sent: int) -> None:
    assert asked("Hi", max_output_tokens=most)["max_tokens"] == sent


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
    ],
)
def test_what_is_not_to_be_had_here_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        asked(**{"given": body.pop("input", "Hi"), **body})
    assert (refused.value.status, refused.value.param) == (400, field)
    assert refused.value.message.startswith(f"{field}: ")
