"""The bounds of a caller's conversation.

The gateway itself opens no picture's address: what is named by one is fetched, if at all, by the server behind, which
may reach what the caller cannot. So addresses are off by default, and pictures come as data URLs.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from hfgen.errors import UsageError
from hfgen.messages import Message, Messages, check_messages, images_of, text_of
from hfgen.openai_api.bounds import Bounds
from hfgen.openai_api.refusal import Refusal

_ADDRESSES: Final = ("http://", "https://")
_ADDRESS: Final = re.compile(r"\s*(https?|file|ftp|s3|gs|hf):", re.IGNORECASE)  # as servers' loaders take them


def checked(conversation: Sequence[dict[str, Any]], bounds: Bounds, field: str = "messages") -> Messages:
    """The conversation, if it is one and within bounds; what is text alone in it is a text.

    Args:
        conversation: As the caller sent it.
        bounds: What is allowed.
        field: What the caller's request calls it.

    Raises:
        Refusal: It is not; the field is named.
    """
    if len(conversation) > bounds.messages:
        raise _refused(field, f"at most {bounds.messages} of them are taken, and these are {len(conversation)}")
    messages = cast("Messages", conversation)
    try:
        check_messages(messages)
    except UsageError as error:
        raise Refusal(400, error.message, param=field, code="invalid_value") from error
    pictures = list(images_of(messages))
    if len(pictures) > bounds.pictures:
        raise _refused(field, f"at most {bounds.pictures} pictures are taken, and these are {len(pictures)}")
    for url in pictures:
        _check_picture(url, bounds, field)
    for text in _texts_of_other_parts(messages):
        _check_no_address(text, bounds, field)
    return [_plain(message) for message in messages]


def _plain(message: Message) -> Message:
    """Parts of text alone become one text: smolagents sends them so, and many a template takes nothing but text."""
    content = message.get("content")
    if content is None or isinstance(content, str) or any(part.get("type") != "text" for part in content):
        return message
    return {**message, "content": text_of(content)}


def _check_picture(url: str, bounds: Bounds, field: str) -> None:
    scheme = url[:20].lower()
    if scheme.startswith("data:image/") or (bounds.image_urls and scheme.startswith(_ADDRESSES)):
        return
    if scheme.startswith(_ADDRESSES):
        raise _refused(field, "addresses of pictures are not taken here (--image-urls); send data:image/…;base64,…")
    raise _refused(field, f"a picture is data:image/…;base64,… and not {url[:20]!r}")


def _texts_of_other_parts(messages: Messages) -> Iterator[str]:
    """Every text in parts that are neither text nor pictures in OpenAI's form: servers take videos, sound and files."""
    for message in messages:
        content = message.get("content")
        for part in () if content is None or isinstance(content, str) else content:
            yield from _texts_in([value for name, value in part.items() if name not in {"type", "text", "image_url"}])


def _texts_in(left: list[object]) -> Iterator[str]:
    """However deep they lie: without recursion, as the depth is the caller's choice."""
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, (list, tuple)):
            left.extend(cast("Sequence[object]", value))
        elif isinstance(value, dict):
            left.extend(cast("dict[str, object]", value).values())


def _check_no_address(text: str, bounds: Bounds, field: str) -> None:
    found = _ADDRESS.match(text)
    if found and not (bounds.image_urls and found[0].lower().startswith("http")):
        raise _refused(field, "addresses are not taken in parts of a message (--image-urls); send the data itself")


def _refused(field: str, why: str) -> Refusal:
    return Refusal(400, f"{field}: {why}", param=field, code="invalid_value")
