"""The conversation as a template sees it: plain copies, as transformers 5.23 makes them."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, cast

from hfgen.errors import UsageError


def conversation(messages: Iterable[object]) -> list[dict[str, Any]]:
    """Copies of the messages: plain types only, no None at the top, reasoning under every name that templates use.

    Dataclasses and pydantic models count as the mappings they are, which transformers 5.23 documents and then refuses.

    Raises:
        UsageError: There is no message, or one that is not a mapping.
    """
    copies = [_message(index, message) for index, message in enumerate(messages)]
    if not copies:
        raise UsageError("messages is empty: a chat template needs at least one")
    return copies


def dicts(name: str, values: Iterable[object] | None) -> list[dict[str, Any]] | None:
    """Plain copies of `tools` or `documents`; None stays None, which templates tell from an empty list.

    Raises:
        UsageError: One of them is not a dict.
    """
    if values is None:
        return None
    copies: list[dict[str, Any]] = []
    for index, value in enumerate(values):
        if not isinstance(value, Mapping):
            raise UsageError(f"{name}[{index}] is a {type(value).__name__}, not a dict")
        copies.append(copied(f"{name}[{index}]", cast("object", value)))
    return copies


def _message(index: int, message: object) -> dict[str, Any]:
    copy = copied(f"messages[{index}]", message)
    if not isinstance(copy, dict):
        raise UsageError(f"messages[{index}] is a {type(message).__name__}, not a dict with 'role' and 'content'")
    kept = cast("dict[str, Any]", copy)
    if None in kept.values():
        kept = {key: value for key, value in kept.items() if value is not None}
    reasoning = kept.get("reasoning_content", kept.get("thinking", kept.get("reasoning")))
    if reasoning is None:
        return kept
    # The order of the keys shows where a template prints the whole message.
    return {"thinking": reasoning, **kept, "reasoning_content": reasoning}


def copied(name: str, value: object) -> Any:
    """A plain copy of an argument.

    Raises:
        UsageError: It holds itself, or nests deeper than any conversation does.
    """
    try:
        return plain(value)
    except RecursionError as error:
        raise UsageError(f"{name} nests too deep, or holds itself") from error


def plain(value: object) -> Any:
    """A copy made of dict, list, tuple, str, int, float, bool and None: nothing of the caller's reaches a template."""
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int or kind is float:
        return value
    if kind is dict:
        return {
            key if type(key) is str else plain(key): item if type(item) is str else plain(item)
            for key, item in cast("dict[object, object]", value).items()
        }
    if kind is list:
        return [plain(item) for item in cast("list[object]", value)]
    return _flattened(value)


def _flattened(value: object) -> Any:
    # An enum of strings is its string; any other is foreign, as in transformers.
    if isinstance(value, Enum) and isinstance(value, (str, int, float)):
        return plain(cast("object", value.value))
    if isinstance(value, str):
        return str.__str__(value)
    for base in (int, float):
        if isinstance(value, base):
            return base(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, tuple):
        return tuple(plain(item) for item in cast("tuple[object, ...]", value))
    if isinstance(value, list):
        return [plain(item) for item in cast("list[object]", value)]
    return _foreign(value)


def _foreign(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    # numpy's scalars are numbers, and told by name: numpy is not imported. Its arrays are foreign, as in transformers.
    scalar = any((kind.__module__, kind.__name__) == ("numpy", "generic") for kind in type(value).__mro__)
    dump: object = getattr(value, "item" if scalar else "model_dump", None)  # or a pydantic model
    if callable(dump) and not isinstance(value, type):
        return plain(dump())
    return f"<{type(value).__name__}>"
