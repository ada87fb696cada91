"""`allowed_tools` becomes fewer tools and a mode, which every server knows; all else goes on as it is."""

from typing import Any

import pytest

from hfgen.openai_api.refusal import Refusal
from hfgen.openai_api.tool_choice import chosen


def tool(name: object) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


TOOLS = [tool("f"), tool("g"), tool("h")]


def allowing(tools: Any, mode: str = "auto") -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize("choice", [None, "auto", "required", tool("f"), {"type": "custom"}])
def test_what_servers_know_is_theirs(choice: Any) -> None:
    assert chosen(TOOLS, choice) == {"tools": TOOLS, "tool_choice": choice}


@pytest.mark.parametrize(
    "broken", [{"type": "function"}, {"type": "function", "function": {}}, {"function": "f"}, {}, tool("")]
)
def test_a_function_without_a_name_is_refused_by_its_place(broken: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        chosen([*TOOLS, broken], "auto")
    assert (refused.value.status, refused.value.param) == (400, "tools[3]")


def test_a_tool_of_another_kind_is_the_server_s_affair() -> None:
    custom = {"type": "custom", "custom": {"name": "c"}}
    assert chosen([custom], "auto")["tools"] == [custom]


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_tools_that_are_not_allowed_are_not_told(mode: str) -> None:
    assert chosen(TOOLS, allowing([tool("h"), tool("f")], mode)) == {
        "tools": [tool("f"), tool("h")],
        "tool_choice": mode,
    }


@pytest.mark.parametrize(
    "choice",
    [
        allowing([]),
        allowing(None),
        allowing(3),
        allowing([tool("x")]),
        allowing([tool(3)]),
        allowing([tool(None)]),
        allowing(["f"]),
        allowing([{"type": "mcp", "server_label": "f"}]),
        allowing([tool("f")], "none"),
        {"type": "allowed_tools"},
        {"type": "allowed_tools", "allowed_tools": ["f"]},
        {"type": "allowed_tools", "allowed_tools": {"mode": [], "tools": 3}},
    ],
)
def test_what_allows_no_tool_of_the_request_is_refused(choice: Any) -> None:
    with pytest.raises(Refusal) as refused:
        chosen(TOOLS, choice)
    assert (refused.value.status, refused.value.param) == (400, "tool_choice")
