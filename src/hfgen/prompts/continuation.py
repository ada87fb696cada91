"""Continuing the last message as transformers 5.23 does: a marker at its end, and a cut where the template put it."""

from typing import Any, Final, cast

from hfgen.errors import ContinuationError, UsageError

# utils/chat_template_utils.py of transformers (since PR 40732). The space at the end shows whether the template trims.
_MARKER: Final = "CONTINUE_FINAL_MESSAGE_TAG "
_REASONING: Final = ("reasoning_content", "thinking", "reasoning")


def field_of(continue_final_message: bool | str, *, add_generation_prompt: bool) -> str:
    """The field of the last message that is to be continued; "" when none is.

    Raises:
        UsageError: A prompt cannot both end inside a message and open a new one.
    """
    if not continue_final_message:
        return ""
    if add_generation_prompt:
        raise UsageError("continue_final_message and add_generation_prompt exclude each other")
    return "content" if continue_final_message is True else continue_final_message


def mark(messages: list[dict[str, Any]], field: str, source: str) -> str:
    """Put the marker at the end of the last message's `field`, in place, and return the text that was there.

    Raises:
        ContinuationError: There is no text in that field, or the template does not know the field.
    """
    last = messages[-1]
    value: object = last.get(field)
    if value is None:
        raise ContinuationError(f"the last message has no {field!r} that could be continued")
    # Reasoning stands under several names: whichever copy the template prints is marked.
    names = [name for name in _REASONING if last.get(name) == value] if field in _REASONING else [field]
    if not any(name in source for name in names):
        raise ContinuationError(f"the chat template does not use the field {field!r}, so it cannot be continued")
    if isinstance(value, str):
        for name in names:
            last[name] = value + _MARKER
        return value
    return _mark_part(value)


def _mark_part(parts: object) -> str:
    for part in reversed(cast("list[object]", parts) if isinstance(parts, (list, tuple)) else []):
        if isinstance(part, dict) and "text" in part:
            held = cast("dict[str, Any]", part)
            text = str(held["text"])
            held["text"] = text + _MARKER
            return text
    raise ContinuationError("the last message has no text that could be continued")


def cut(rendered: str, text: str) -> str:
    """The prompt up to the end of the marked text.

    Raises:
        ContinuationError: The template changed or left out the text or the marker.
    """
    tag = _MARKER.strip()
    if text.strip() not in rendered or tag not in rendered:
        raise ContinuationError(
            "the chat template changes or leaves out the last message, so it cannot be continued",
            hint="Templates that drop <think> blocks from history do this; leave the block out of the message.",
        )
    where = rendered.rindex(tag)
    before = rendered[:where]
    # A template that trims took the marker's space too, and with it whatever white space stood before it.
    return before if rendered.startswith(_MARKER, where) else before.rstrip()
