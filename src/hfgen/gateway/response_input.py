"""What a request of the Responses API asks, as arguments of the waist."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from hfgen.gateway.response_schema import Item, Part, ResponsesRequest, TextForm, Tool, ToolChoice
from hfgen.openai_api.bounds import Bounds
from hfgen.openai_api.conversation import checked
from hfgen.openai_api.refusal import Refusal
from hfgen.openai_api.tool_choice import chosen

_LOGPROBS: Final = "message.output_text.logprobs"
_STATE: Final = {
    "previous_response_id": "this gateway keeps no answers: send the whole conversation as input",
    "conversation": "this gateway keeps no conversations: send the whole conversation as input",
    "prompt": "this gateway keeps no prompts: send its text as instructions",
    "background": "this gateway keeps no answers to be fetched later: stream it",
}
_TURN: Final = ("reasoning_content", "content", "tool_calls")
_FORMS: Final = ("text", "json_object", "json_schema")


def arguments(asked: ResponsesRequest, bounds: Bounds) -> dict[str, Any]:
    """The request as arguments of `create_async_generator`.

    Raises:
        Refusal: It asks for what this gateway does not have; the field is named.
    """
    _check_state(asked)
    ceiling, most = bounds.max_tokens, asked.max_output_tokens
    if most is not None and most < 1:
        raise _refused("max_output_tokens", "it must be at least 1")
    found: dict[str, Any] = {
        "messages": checked(messages_of(asked.input, asked.instructions), bounds, "input"),
        "max_tokens": ceiling if most is None else most if ceiling is None else min(most, ceiling),
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "strict": asked.strict,
        "response_format": _response_format(asked.text.format if asked.text else None),
    }
    if asked.tools:
        tools = [_tool(index, tool) for index, tool in enumerate(asked.tools)]
        found |= chosen(tools, _tool_choice(asked.tool_choice))
        if asked.parallel_tool_calls is not None:
            found["extra_data"] = {"parallel_tool_calls": asked.parallel_tool_calls}
    if asked.top_logprobs or _LOGPROBS in (asked.include or ()):
        found["logprobs"] = asked.top_logprobs or True
    return {name: value for name, value in found.items() if value is not None or name == "max_tokens"}


def messages_of(said: str | Sequence[Item], instructions: str | None = None) -> list[dict[str, Any]]:
    """The conversation in the chat shape: what the assistant thought, said and called stands in one turn of it.

    Raises:
        Refusal: An item is of a kind that no model here takes.
    """
    turns = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(said, str):
        return [*turns, {"role": "user", "content": said}]
    for index, item in enumerate(said):
        _add(turns, item, f"input[{index}]")
    return turns


def _add(turns: list[dict[str, Any]], item: Item, place: str) -> None:
    match item.type:
        case "message" if item.role == "assistant":
            _own_turn(turns, "content")["content"] = _content(item.content, f"{place}.content")
        case "message":
            turns.append({"role": item.role, "content": _content(item.content, f"{place}.content")})
        case "reasoning":
            if isinstance(item.content, list) and item.content:
                thoughts = "".join(part.text or "" for part in item.content)
                _own_turn(turns, "reasoning_content")["reasoning_content"] = thoughts
        case "function_call":
            function = {"name": item.name or "", "arguments": item.arguments or ""}
            call = {"id": item.call_id or "", "type": "function", "function": function}
            _own_turn(turns, "tool_calls").setdefault("tool_calls", []).append(call)
        case "function_call_output":
            said = _content(item.output, f"{place}.output")
            turns.append({"role": "tool", "tool_call_id": item.call_id or "", "content": said})
        case other:
            raise _refused(f"{place}.type", f"no model here takes an item of type {other!r}")


def _own_turn(turns: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """The assistant's turn that is under way, if there is still a place for this in it; else a new one.

    A turn goes from thoughts over words to calls, and only of calls there may be several.
    """
    last = turns[-1] if turns else {}
    later = () if what == _TURN[-1] else _TURN[_TURN.index(what) :]
    if last.get("role") != "assistant" or any(last.get(name) is not None for name in later):
        turns.append({"role": "assistant", "content": None})
    return turns[-1]


def _content(content: str | list[Part] | None, place: str) -> str | list[dict[str, Any]]:
    """Text alone as one string, which every template and server takes; parts where there is a picture among them."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [_part(part, f"{place}[{index}]") for index, part in enumerate(content)]
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(part: Part, place: str) -> dict[str, Any]:
    match part.type:
        case "input_text" | "output_text" | "text" | "reasoning_text" | "summary_text":
            return {"type": "text", "text": part.text or ""}
        case "refusal":
            return {"type": "text", "text": part.refusal or ""}
        case "input_image" if part.image_url:
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "image_url", "image_url": {"url": part.image_url, **detail}}
        case "input_image":
            raise _refused(
                f"{place}.image_url", "a picture is given by its URL or as a data URL; no files are kept here"
            )
        case other:
            raise _refused(f"{place}.type", f"no model here takes content of type {other!r}")


def _tool(index: int, tool: Tool) -> dict[str, Any]:
    if tool.type != "function":
        raise _refused(f"tools[{index}].type", f"nothing is run here, so {tool.type!r} is no tool; functions are")
    if not tool.name:
        raise _refused(f"tools[{index}].name", "a function needs a name")
    given = {"description": tool.description, "parameters": tool.parameters, "strict": tool.strict}
    return {"type": "function", "function": {"name": tool.name, **_said(given.items())}}


def _tool_choice(choice: str | ToolChoice | None) -> str | dict[str, Any] | None:
    if choice is None or isinstance(choice, str):
        return choice
    if choice.type == "allowed_tools":
        allowed = [
            {"function": {"name": tool.get("name")}} for tool in choice.tools or () if tool.get("type") == "function"
        ]
        return {"type": choice.type, "allowed_tools": {"mode": choice.mode or "auto", "tools": allowed}}
    if choice.type != "function" or not choice.name:
        raise _refused("tool_choice", "it is auto, none, required, a function by its name, or allowed_tools")
    return {"type": "function", "function": {"name": choice.name}}


def _response_format(form: TextForm | None) -> dict[str, Any] | None:
    if form is None or form.type == "text":
        return None
    if form.type not in _FORMS:
        raise _refused("text.format.type", f"it is one of {', '.join(_FORMS)}")
    if form.type == "json_object":
        return {"type": "json_object"}
    if form.schema is None:
        raise _refused("text.format.schema", "json_schema needs one")
    given = {"strict": form.strict, "description": form.description}
    schema = {"name": form.name or "answer", "schema": form.schema, **_said(given.items())}
    return {"type": "json_schema", "json_schema": schema}


def _said(given: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in given if value is not None}


def _check_state(asked: ResponsesRequest) -> None:
    for name, why in _STATE.items():
        if getattr(asked, name):
            raise _refused(name, why)


def _refused(param: str, why: str) -> Refusal:
    return Refusal(400, f"{param}: {why}", param=param, code="invalid_value")
