"""Which of the tools may be called. No server here knows `allowed_tools`, but each can be told of fewer tools."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from hfgen.openai_api.refusal import Refusal

_MODES: Final = ("auto", "required")


def chosen(tools: Sequence[Mapping[str, Any]], choice: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments `tools` and `tool_choice`, as servers know them.

    Args:
        tools: In the chat's form.
        choice: In the chat's form: a word, one function, or `allowed_tools`
            (openai-python types/chat/chat_completion_allowed_tools_param.py).

    Raises:
        Refusal: A function has no name, or what is allowed is no tool of the request.
    """
    for place, tool in enumerate(tools):
        if tool.get("type", "function") == "function" and not _name(tool):
            raise _refused("a function needs a name: {'type': 'function', 'function': {'name': …}}", f"tools[{place}]")
    if isinstance(choice, str) or choice is None or choice.get("type") != "allowed_tools":
        return {"tools": tools, "tool_choice": choice}
    allowed = _mapping(choice.get("allowed_tools"))
    mode = allowed.get("mode", "auto")
    if mode not in _MODES:
        raise _refused(f"the mode of allowed_tools is one of {', '.join(_MODES)}")
    listed: object = allowed.get("tools")
    names = [_name(tool) for tool in cast("list[object]", listed)] if isinstance(listed, list) else []
    if not names:
        raise _refused("allowed_tools names no tool; `none` allows none")
    if strange := [name for name in names if name not in map(_name, tools)]:
        raise _refused(f"allowed_tools names {strange[0]!r}, which is no function among tools")
    return {"tools": [tool for tool in tools if _name(tool) in names], "tool_choice": mode}


def _name(tool: object) -> str | None:
    name: object = _mapping(_mapping(tool).get("function")).get("name")
    return name if isinstance(name, str) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _refused(why: str, field: str = "tool_choice") -> Refusal:
    return Refusal(400, f"{field}: {why}", param=field, code="invalid_value")
