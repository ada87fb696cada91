"""Pictures in OpenAI's words: whole (`images_response.py`), or as events (`image_gen_completed_event.py`).

`image_generation.progress` is hfgen's own: what is waited for is told, as there is nothing to show before the end.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, assert_never

import msgspec
from typing_extensions import override

from hfgen.events import (
    Event,
    FinishReason,
    ImageResponse,
    Logprobs,
    Progress,
    Reasoning,
    Resumed,
    ToolCallDelta,
    Usage,
)
from hfgen.openai_api.wording import Wording

_encode: Final = msgspec.json.Encoder().encode


class ImageEvents(Wording):
    """Words one answer's events as server-sent events.

    Args:
        created: Unix time in seconds.
        address_of: Where a picture can be fetched; None to send its bytes.
    """

    def __init__(self, created: int, address_of: Callable[[ImageResponse], str] | None = None) -> None:
        self._created = created
        self._address_of = address_of
        self.usage: Usage | None = None

    @override
    def chunk(self, event: Event) -> bytes:
        """The bytes that say this event, none for what this form has no word for."""
        match event:
            case ImageResponse():
                return self._event("image_generation.completed", self._completed(event))
            case Progress():
                said = {"status": event.stage, "message": event.detail or None, "progress": event.fraction}
                return self._event("image_generation.progress", {**said, "position": event.position})
            case Usage():
                self.usage = event
                return b""
            case str() | Reasoning() | ToolCallDelta() | Logprobs() | FinishReason() | Resumed():
                return b""
            case _:
                assert_never(event)

    def whole(self, events: Iterable[Event], failed: Mapping[str, str | None] | None = None) -> bytes:
        """All pictures of an answer.

        Args:
            events: That say them.
            failed: Why there are fewer than were asked for. It is no `error`: whoever finds one looks no further.
        """
        pictures = [event for event in events if isinstance(event, ImageResponse)]
        first = _form(pictures[0]) if pictures else {}
        more = {"incomplete": failed} if failed else {}
        return _encode({"created": self._created, **first, "data": [self._datum(each) for each in pictures], **more})

    def _completed(self, picture: ImageResponse) -> dict[str, Any]:
        said = {"created_at": self._created, "background": "auto", "quality": "auto", **_form(picture)}
        return {**said, **self._datum(picture), "usage": _usage_of(self.usage or Usage())}

    def _datum(self, picture: ImageResponse) -> dict[str, Any]:
        """The picture, and what it was made from, which OpenAI has no words for but `revised_prompt`."""
        if self._address_of:
            said: dict[str, Any] = {"url": self._address_of(picture)}
        else:
            said = {"b64_json": base64.b64encode(picture.media.data).decode("ascii")}
        return {
            **said,
            "revised_prompt": picture.revised_prompt or None,
            "seed": picture.seed,
            "model": picture.model,
            **({"left_out": picture.left_out} if picture.left_out else {}),
        }

    def _event(self, name: str, said: dict[str, Any]) -> bytes:
        return b"event: " + name.encode() + b"\ndata: " + _encode({"type": name, **said}) + b"\n\n"


def _form(picture: ImageResponse) -> dict[str, str]:
    kind = picture.media.media_type.removeprefix("image/")
    return {"output_format": kind, "size": f"{picture.width}x{picture.height}"}


def _usage_of(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": usage.prompt_tokens},
        "output_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
