"""A conversation in the OpenAI shape, and the few questions that the rest of hfgen asks of it."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NotRequired, TypeAlias, cast

from typing_extensions import TypedDict

from hfgen.errors import UsageError

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]


class ImageURL(TypedDict):
    """Where a picture is: http(s) or a data URL."""

    url: str
    detail: NotRequired[str]


class Part(TypedDict, total=False):
    """One part of a message whose content is a list."""

    type: str
    text: str
    image_url: ImageURL | str


class FunctionCall(TypedDict):
    """What the model wants called; `arguments` is JSON text, or the object itself."""

    name: str
    arguments: str | dict[str, Any]


class ToolCall(TypedDict):
    """One call that the model asked for."""

    id: NotRequired[str]
    type: NotRequired[str]
    function: FunctionCall


Content: TypeAlias = str | Sequence[Part] | None


class Message(TypedDict):
    """One turn of a conversation."""

    role: Role
    content: NotRequired[Content]
    name: NotRequired[str]
    tool_calls: NotRequired[Sequence[ToolCall]]
    tool_call_id: NotRequired[str]
    reasoning_content: NotRequired[str]


Messages: TypeAlias = Sequence[Message]

_ROLES = ("system", "developer", "user", "assistant", "tool")


def text_of(content: Content) -> str:
    """The text of a content: itself, its text parts joined, or "" for none."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def images_of(messages: Messages) -> Iterator[str]:
    """The URL of every picture in the conversation, in order."""
    for message in messages:
        content = message.get("content")
        if content is None or isinstance(content, str):
            continue
        for part in content:
            image = part.get("image_url")
            if image is not None:
                yield image if isinstance(image, str) else image["url"]


def last_user_text(messages: Messages) -> str:
    """The text of the user's last turn, "" when there is none."""
    return next((text_of(m.get("content")) for m in reversed(messages) if m["role"] == "user"), "")


def ends_with_assistant(messages: Messages) -> bool:
    """Whether the last turn is an assistant's, so that there is something to continue."""
    return bool(messages) and messages[-1]["role"] == "assistant"


def check_messages(messages: Messages) -> None:
    """Refuse what no server could answer.

    Raises:
        UsageError: No message at all, or one that is not in the OpenAI shape; its index is named.
    """
    if not messages:
        raise UsageError("messages is empty: give at least one, such as {'role': 'user', 'content': 'Hello'}")
    for index, message in enumerate(messages):
        _check_message(index, message)


def _check_message(index: int, message: object) -> None:
    if not isinstance(message, dict):
        raise UsageError(f"messages[{index}] is a {type(message).__name__}, not a dict with 'role' and 'content'")
    role: object = message.get("role")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if role not in _ROLES:
        raise UsageError(f"messages[{index}]['role'] is {role!r}; it must be one of {', '.join(_ROLES)}")
    content: object = message.get("content")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if content is not None and not isinstance(content, (str, list, tuple)):
        kind = type(content).__name__  # pyright: ignore[reportUnknownArgumentType]
        raise UsageError(f"messages[{index}]['content'] is a {kind}; it must be a string, a list of parts, or None")
    if isinstance(content, (list, tuple)):
        for place, part in enumerate(cast("Sequence[object]", content)):
            _check_part(f"messages[{index}]['content'][{place}]", part)


def _check_part(where: str, part: object) -> None:
    """What hfgen itself reads of a part; all else in it is the server's affair."""
    if not isinstance(part, dict):
        raise UsageError(f"{where} is a {type(part).__name__}, not a dict such as {{'type': 'text', 'text': 'Hello'}}")
    known = cast("dict[str, object]", part)
    if not isinstance(known.get("text", ""), str):
        raise UsageError(f"{where}['text'] is a {type(known['text']).__name__}; it must be a string")
    image = known.get("image_url", "")
    url = cast("dict[str, object]", image).get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise UsageError(f"{where}['image_url'] holds no URL; give {{'url': 'https://…'}}, or the URL itself")
