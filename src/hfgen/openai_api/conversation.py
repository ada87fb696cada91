"""The bounds of a caller's conversation.

The gateway itself opens no picture's address: what is named by one is fetched, if at all, by the server behind, which
may reach what the caller cannot. So addresses are off by default, and pictures come as data URLs.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

from hfgen.errors import UsageError
from hfgen.messages import Message, Messages, check_messages, images_of, text_of
from hfgen.openai_api.bounds import Bounds
from hfgen.openai_api.refusal import Refusal

_ADDRESSES: Final = ("http://", "https://")


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


def _refused(field: str, why: str) -> Refusal:
    return Refusal(400, f"{field}: {why}", param=field, code="invalid_value")
