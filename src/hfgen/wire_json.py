"""JSON at the wire: a second reading of what msgspec refuses, and request bodies that name what is no JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from hfgen.errors import UsageError

# What msgspec raises: bad JSON or UTF-8, a number of more than 4300 digits, JSON nested beyond the interpreter's limit.
MALFORMED: Final = (msgspec.DecodeError, ValueError, RecursionError)
_DEEPEST: Final = 64
_CALLERS_WORD: Final[Mapping[str, str]] = {"inputs": "prompt"}


def patient(data: bytes) -> object:
    """The JSON value, with all that msgspec refuses and servers send: lone surrogates, bad UTF-8 as U+FFFD, NaN.

    A lone surrogate is half a character whose other half comes with the next event; whoever reads on joins them.

    Raises:
        ValueError: It is no JSON.
        RecursionError: It is nested beyond the interpreter's limit.
    """
    value: object = json.loads(data.decode("utf-8", "replace"))
    return value


def without_empty_lists(value: object) -> object:
    """The value without its members that are `[]`, which say nothing: PHP writes one for an empty object too."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: without_empty_lists(item) for name, item in members.items() if item != []}
    if isinstance(value, list):
        return [without_empty_lists(item) for item in cast("list[object]", value)]
    return value


def holds_json(data: bytes) -> bool:
    """Whether it may be a chunk or `[DONE]`; a ping with an event name of its own holds a time or a word."""
    return data.lstrip()[:1] in (b"{", b"[")


def request_body(known: Mapping[str, Any], extra: Mapping[str, Any]) -> bytes:
    """The body of a request: what the call's own arguments say (None leaves one out), and the keys of `extra_data`.

    Raises:
        UsageError: A key of `extra_data` that an argument sets, or a value that JSON cannot carry; its place is named.
    """
    known = {name: value for name, value in known.items() if value is not None}
    _no_clash(known, extra)
    try:
        return msgspec.json.encode({**known, **extra})
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.EncodeError) as error:
        fault = _fault_in(known, "") or _fault_in(extra, "extra_data") or f"the request is no JSON: {error}"
        raise UsageError(fault) from None


def task_body(inputs: str, parameters: Mapping[str, Any], extra: Mapping[str, Any], **fixed: Any) -> bytes:
    """A body in Hugging Face's task form; `extra_data["parameters"]` joins the parameters.

    Args:
        inputs: The prompt.
        parameters: What the call's arguments say; None leaves one out.
        extra: The caller's `extra_data`.
        **fixed: Further keys of the top level.

    Raises:
        UsageError: As `request_body`, and when `extra_data["parameters"]` is no dict.
    """
    joined, rest = joined_below("parameters", parameters, extra)
    return request_body({"inputs": inputs, "parameters": joined, **fixed}, rest)


def joined_below(
    place: str, known: Mapping[str, Any], extra: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the call's arguments and `extra_data[place]` say together, and the rest of `extra_data`.

    Raises:
        UsageError: `extra_data[place]` is no dict, or sets what an argument does.
    """
    known = {name: value for name, value in known.items() if value is not None}
    rest = dict(extra)
    more: object = rest.pop(place, {})
    if not isinstance(more, Mapping):
        raise UsageError(f"extra_data[{place!r}] is a {type(more).__name__}; it must be a dict")
    further = cast("Mapping[str, Any]", more)
    _no_clash(known, further)
    return {**known, **further}, rest


def _no_clash(known: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    clash = known.keys() & extra.keys()
    if clash:
        raise UsageError(f"extra_data may not set {', '.join(sorted(clash))}: an argument of the call does")


def _fault_in(value: object, place: str, depth: int = 0) -> str:
    """Where and why a value cannot be sent, "" when it can."""
    if depth > _DEEPEST:
        return f"{place} is nested more than {_DEEPEST} deep, or holds itself"
    if isinstance(value, str):
        half = next((char for char in value if "\ud800" <= char <= "\udfff"), "")
        return f"{place} holds half of a surrogate pair (U+{ord(half):04X}), which is no character" if half else ""
    if isinstance(value, dict):
        for key, item in cast("dict[object, object]", value).items():
            name = _CALLERS_WORD.get(str(key), str(key))
            fault = _fault_in(item, f"{place}.{name}" if place else name, depth + 1)
            if fault or (fault := _fault_in(key, f"a key of {place or 'the request'}", depth + 1)):
                return fault
        return ""
    if isinstance(value, (list, tuple)):
        items = cast("Sequence[object]", value)
        found = (_fault_in(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(items))
        return next(filter(None, found), "")
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.EncodeError):
        return f"{place} is a {type(value).__name__}, which JSON cannot carry"
    return ""
