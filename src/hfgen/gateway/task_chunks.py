"""A text in the words of the Hugging Face task form, which are TGI's: whole, or token by token.

Shapes: huggingface_hub inference/_generated/types/text_generation.py. The numbers of tokens are the tokenizer's affair,
which is not here: every `id` is -1, and a `logprob` that the model's server did not say is null.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, assert_never

import msgspec
from starlette.types import Scope
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
from hfgen.gateway.paths import own_path
from hfgen.openai_api.chat_chunks import left_out_of
from hfgen.openai_api.refusal import Refusal
from hfgen.openai_api.wording import Wording

_encode: Final = msgspec.json.Encoder().encode
_UNKNOWN: Final = -1
_ERROR_TYPES: Final = {400: "validation", 413: "validation", 422: "validation", 429: "overloaded", 503: "overloaded"}
_SERVER_FAULT: Final = 500


class TaskChunks(Wording):
    """Words one answer's events as server-sent events; the last of them, a special token without text, holds it all.

    Args:
        prefix: Stands in front of the whole text: the prompt, where the full text was asked for.
        seed: The request's own.
    """

    def __init__(self, prefix: str = "", seed: int | None = None) -> None:
        self._pieces = [prefix] if prefix else []
        self._seed = seed
        self._index = 0
        self._reason = "eos_token"
        self._left_out: dict[str, list[str]] = {}
        self.usage: Usage | None = None

    @override
    def chunk(self, event: Event) -> bytes:
        """The bytes that say this event, none for what this form has no word for."""
        match event:
            case str():
                return self._token(event)
            case Reasoning():  # a raw completion has no thoughts apart
                return self._token(event.text)
            case Usage():
                self.usage = event
                return b""
            case FinishReason():
                self._reason = _reason(event)
                self._left_out = left_out_of([[event]])
                return b""
            case Logprobs() | ToolCallDelta() | ImageResponse() | Progress() | Resumed():
                return b""
            case _:
                assert_never(event)

    def end(self) -> bytes:
        """The last event, with the whole text."""
        usage = self.usage or Usage()
        details = {
            "finish_reason": self._reason,
            "generated_tokens": usage.completion_tokens,
            "input_length": usage.prompt_tokens,
            "seed": self._seed,
            **self._left_out,
        }
        return self._event("", special=True, generated_text="".join(self._pieces), details=details)

    def _token(self, text: str) -> bytes:
        self._pieces.append(text)
        return self._event(text)

    def _event(
        self, text: str, *, special: bool = False, generated_text: str | None = None, details: Any = None
    ) -> bytes:
        self._index += 1
        token = {"id": _UNKNOWN, "text": text, "logprob": None, "special": special}
        said = {"index": self._index, "token": token, "generated_text": generated_text, "details": details}
        return b"data:" + _encode(said) + b"\n\n"


def fault(refused: Refusal, request_id: str) -> bytes:
    """An error after the first byte, as TGI sends it."""
    said = {"error": refused.message, "error_type": "generation", "request_id": request_id}
    return b"data:" + _encode(said) + b"\n\n"


def refused(error: Refusal, request_id: str) -> bytes:
    """The body of an error before the first byte, as TGI has it: text, and a type where clients have a class for it.

    What a key or an address is at fault for has no type, as at the Hub (huggingface_hub inference/_common.py).
    """
    kind = _ERROR_TYPES.get(error.status, "generation" if error.status >= _SERVER_FAULT else None)
    said = {"error": error.message, "request_id": request_id}
    return _encode(said if kind is None else {**said, "error_type": kind})


def is_asked(scope: Scope) -> bool:
    """Whether a request is in this form, by its address alone: it may be refused before any route."""
    path = own_path(scope)
    return scope["method"] == "POST" and (path == "/" or path.startswith("/models/"))


def whole(events: Sequence[Event], prefix: str = "", seed: int | None = None, *, details: bool = False) -> bytes:
    """The answer in one piece; `details` as TGI's, as far as they are known."""
    text = prefix + "".join(_texts(events))
    if not details:
        return _encode([{"generated_text": text}])
    tokens = [
        {"id": _UNKNOWN, "text": token.token, "logprob": token.logprob, "special": False}
        for event in events
        if isinstance(event, Logprobs)
        for token in event.tokens
    ]
    usage = next((event for event in events if isinstance(event, Usage)), Usage())
    reason = next((_reason(event) for event in events if isinstance(event, FinishReason)), "eos_token")
    said = {
        "finish_reason": reason,
        "generated_tokens": usage.completion_tokens,
        "seed": seed,
        "prefill": [],
        "tokens": tokens,
    }
    return _encode([{"generated_text": text, "details": said}])


def _texts(events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        if isinstance(event, str):
            yield event
        elif isinstance(event, Reasoning):
            yield event.text


def _reason(event: FinishReason) -> str:
    """TGI's word; whether a stop sequence ended it, nobody says."""
    return "length" if event.reason == "length" else "eos_token"
