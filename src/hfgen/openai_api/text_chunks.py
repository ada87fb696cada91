"""A completion in OpenAI's older words: `text_completion` (openai-python types/completion.py, completion_choice.py).

One answer to one prompt; its log probabilities are three lists side by side.
"""

from collections.abc import Sequence
from typing import Any, Final, assert_never

import msgspec
from typing_extensions import TypeIs, override

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
from hfgen.openai_api.chat_chunks import left_out_of, summed, usage_of
from hfgen.openai_api.wording import Wording

_encode: Final = msgspec.json.Encoder().encode


class TextChunks(Wording):
    """Words one answer's events as server-sent events.

    Args:
        answer_id: `cmpl-…`, the same in every chunk.
        created: Unix time in seconds.
        model: As the caller named it.
        index: Which answer this is, over all prompts of the request.
        with_usage: The caller asked for the usage; then every other chunk says that it has none.
    """

    def __init__(self, answer_id: str, created: int, model: str, index: int = 0, *, with_usage: bool = False) -> None:
        head = {"id": answer_id, "object": "text_completion", "created": created, "model": model}
        self._head = b"data: " + _encode(head)[:-1]
        self._tail = (b',"usage":null' if with_usage else b"") + b"}\n\n"
        self._prefix = self._head + b',"choices":[{"index":' + str(index).encode() + b',"text":'
        self._suffix = b',"logprobs":null,"finish_reason":null}]' + self._tail
        self._offset = 0
        self.usage: Usage | None = None

    @override
    def chunk(self, event: Event) -> bytes:
        """The bytes that say this event, none for what this form has no word for."""
        match event:
            case str():
                return self._prefix + _encode(event) + self._suffix
            case Reasoning():  # a raw completion has no thoughts apart
                return self._prefix + _encode(event.text) + self._suffix
            case Logprobs():
                said, self._offset = logprobs_of(event, self._offset)
                return self._choice(logprobs=said)
            case FinishReason():
                return self._choice(finish_reason=event.reason, left_out=event.left_out)
            case Usage():
                self.usage = event
                return b""
            case ToolCallDelta() | ImageResponse() | Progress() | Resumed():
                return b""
            case _:
                assert_never(event)

    def usage_chunk(self, usage: Usage) -> bytes:
        """The last chunk, which has no choices."""
        return self._head + b',"choices":[],"usage":' + _encode(usage_of(usage)) + b"}\n\n"

    def _choice(self, *, logprobs: Any = None, finish_reason: str | None = None, left_out: Sequence[str] = ()) -> bytes:
        rest = _encode({"logprobs": logprobs, "finish_reason": finish_reason})
        more = b',"left_out":' + _encode(left_out) if left_out else b""
        return self._prefix + b'"",' + rest[1:] + b"]" + more + self._tail


def whole(answer_id: str, created: int, model: str, answers: Sequence[Sequence[Event]], each: int = 1) -> bytes:
    """A `text_completion`: all answers, `each` of them to the same prompt, from their events."""
    body = {
        "id": answer_id,
        "object": "text_completion",
        "created": created,
        "model": model,
        "choices": [_whole_choice(index, events) for index, events in enumerate(answers)],
        "usage": usage_of(usage_of_prompts([_last_usage(events) for events in answers], each)),
        **left_out_of(answers),
    }
    return _encode(body)


def usage_of_prompts(usages: list[Usage], each: int) -> Usage:
    """The usage of `each` answers to each of several prompts: a prompt is counted once, every answer by itself."""
    prompts = [summed(usages[at : at + each]) for at in range(0, len(usages), each)]
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in prompts),
        completion_tokens=sum(usage.completion_tokens for usage in prompts),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in prompts),
        cached_tokens=sum(usage.cached_tokens for usage in prompts),
        estimated=any(usage.estimated for usage in prompts),
    )


def _last_usage(events: Sequence[Event]) -> Usage:
    return next((event for event in reversed(events) if isinstance(event, Usage)), Usage())


def _whole_choice(index: int, events: Sequence[Event]) -> dict[str, Any]:
    text = "".join(event if isinstance(event, str) else event.text for event in events if _is_text(event))
    tokens = tuple(token for event in events if isinstance(event, Logprobs) for token in event.tokens)
    reason = next((event.reason for event in events if isinstance(event, FinishReason)), "stop")
    logprobs = logprobs_of(Logprobs(tokens), 0)[0] if tokens else None
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}


def _is_text(event: Event) -> TypeIs[str | Reasoning]:
    return isinstance(event, str | Reasoning)


def logprobs_of(event: Logprobs, offset: int) -> tuple[dict[str, Any], int]:
    """The four lists of the old form, and where the text goes on."""
    offsets: list[int] = []
    for token in event.tokens:
        offsets.append(offset)
        offset += len(token.token)
    return {
        "tokens": [token.token for token in event.tokens],
        "token_logprobs": [token.logprob for token in event.tokens],
        "top_logprobs": [{top.token: top.logprob for top in token.top} for token in event.tokens],
        "text_offset": offsets,
    }, offset
