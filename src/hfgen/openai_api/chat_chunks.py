"""A chat answer in OpenAI's words: the inverse of `dialects/openai_chat.py`, sharing no code with it.

Shapes: openai-python types/chat/chat_completion_chunk.py and chat_completion.py. `role` stands in the first delta;
`finish_reason` and `logprobs` in every choice; `tool_calls[].index` is an int; usage comes in a chunk without choices.
`left_out` is hfgen's own, and only there where the server behind does not take an option of the request.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, assert_never

import msgspec
from typing_extensions import override

from hfgen.events import (
    Event,
    Finish,
    FinishReason,
    ImageResponse,
    Logprobs,
    Progress,
    Reasoning,
    Resumed,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from hfgen.openai_api.refusal import Refusal
from hfgen.openai_api.wording import Wording

DONE: Final = b"data: [DONE]\n\n"

_encode: Final = msgspec.json.Encoder().encode
_OPEN: Final = b',"delta":{"content":'
_CLOSE: Final = b'},"logprobs":null,"finish_reason":null}]'


class ChatChunks(Wording):
    """Words one answer's events as server-sent events.

    Args:
        answer_id: `chatcmpl-…`, the same in every chunk.
        created: Unix time in seconds.
        model: As the caller named it.
        index: Which of the `n` answers this is.
        with_usage: The caller asked for the usage; then every other chunk says that it has none.
    """

    def __init__(self, answer_id: str, created: int, model: str, index: int = 0, *, with_usage: bool = False) -> None:
        head = {"id": answer_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + _encode(head)[:-1]
        self._tail = (b',"usage":null' if with_usage else b"") + b"}\n\n"
        self._prefix = self._head + b',"choices":[{"index":' + str(index).encode()
        self._text_prefix = self._prefix + _OPEN
        self._text_suffix = _CLOSE + self._tail
        self._between_texts = self._text_suffix + self._text_prefix
        self._begun = False
        self._named: set[int] = set()
        self.usage: Usage | None = None

    @override
    def chunk(self, event: Event) -> bytes:
        """The bytes that say this event, none for what OpenAI's form has no word for."""
        match event:
            case str():
                return self._delta({"content": event})
            case Reasoning():
                return self._delta({"reasoning_content": event.text})
            case ToolCallDelta():
                return self._delta({"tool_calls": [self._call(event)]})
            case Logprobs():
                return self._delta({}, logprobs=logprobs_of(event))
            case FinishReason():
                return self._delta({}, finish_reason=event.reason, left_out=event.left_out)
            case ImageResponse():
                return self._delta({"content": str(event)})
            case Usage():
                self.usage = event
                return b""
            case Progress() | Resumed():
                return b""
            case _:
                assert_never(event)

    @override
    def chunks(self, events: Sequence[Event]) -> bytes:
        """The bytes that say all of these events; nearly always they are text, which is said all at once."""
        if self._begun and set(map(type, events)) == {str}:
            return self._text_prefix + self._between_texts.join(map(_encode, events)) + self._text_suffix
        return super().chunks(events)

    def usage_chunk(self, usage: Usage) -> bytes:
        """The last chunk, which has no choices."""
        return self._head + b',"choices":[],"usage":' + _encode(usage_of(usage)) + b"}\n\n"

    def _delta(
        self,
        delta: dict[str, Any],
        *,
        logprobs: Any = None,
        finish_reason: str | None = None,
        left_out: Sequence[str] = (),
    ) -> bytes:
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", "content": "", **delta}
        rest = _encode({"delta": delta, "logprobs": logprobs, "finish_reason": finish_reason})
        more = b',"left_out":' + _encode(left_out) if left_out else b""
        return self._prefix + b"," + rest[1:] + b"]" + more + self._tail

    def _call(self, event: ToolCallDelta) -> dict[str, Any]:
        """OpenAI names a call's id, type and function once, in its first piece."""
        call: dict[str, Any] = {"index": event.index, "function": {"arguments": event.arguments}}
        if event.index not in self._named:
            self._named.add(event.index)
            call |= {"id": event.id, "type": "function"}
            call["function"] = {"name": event.name, "arguments": event.arguments}
        return call


def fault(refused: Refusal, request_id: str) -> bytes:
    """An error after the first byte, as OpenAI sends it: an event whose data is the error, and nothing after it."""
    return b"data: " + refused.body(request_id) + b"\n\n"


def whole(answer_id: str, created: int, model: str, answers: Sequence[Sequence[Event]]) -> bytes:
    """A `chat.completion`: all answers, each from its events."""
    usages = [event for events in answers for event in events if isinstance(event, Usage)]
    body = {
        "id": answer_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [_choice(index, events) for index, events in enumerate(answers)],
        "usage": usage_of(summed(usages)),
        **left_out_of(answers),
    }
    return _encode(body)


def left_out_of(answers: Iterable[Iterable[Event]]) -> dict[str, list[str]]:
    """The options of the request that the answers were made without, in a field of their own; no field for none."""
    ends = (event for events in answers for event in events if isinstance(event, FinishReason))
    names = dict.fromkeys(name for end in ends for name in end.left_out)
    return {"left_out": list(names)} if names else {}


def _choice(index: int, events: Sequence[Event]) -> dict[str, Any]:
    texts: list[str] = []
    thoughts: list[str] = []
    deltas: list[ToolCallDelta] = []
    tokens: list[TokenLogprob] = []
    reason: Finish = "stop"
    for event in events:
        match event:
            case str() | ImageResponse():
                texts.append(str(event))
            case Reasoning():
                thoughts.append(event.text)
            case ToolCallDelta():
                deltas.append(event)
            case Logprobs():
                tokens += event.tokens
            case FinishReason():
                reason = event.reason
            case Usage() | Progress() | Resumed():
                pass
            case _:
                assert_never(event)
    text = "".join(texts)
    message: dict[str, Any] = {"role": "assistant", "content": text if text or not deltas else None, "refusal": None}
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if deltas:
        message["tool_calls"] = _calls(deltas)
    logprobs = logprobs_of(Logprobs(tuple(tokens))) if tokens else None
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": reason}


def _calls(deltas: Iterable[ToolCallDelta]) -> list[dict[str, Any]]:
    calls: dict[int, dict[str, Any]] = {}
    for delta in deltas:
        function: dict[str, Any] = {"name": delta.name, "arguments": ""}
        call = calls.setdefault(delta.index, {"id": delta.id, "type": "function", "function": function})
        call["function"]["arguments"] += delta.arguments
    return [calls[index] for index in sorted(calls)]


def usage_of(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's words."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def summed(usages: Sequence[Usage]) -> Usage:
    """The usage of several answers to one prompt, which is counted once."""
    if len(usages) == 1:
        return usages[0]
    return Usage(
        prompt_tokens=max((usage.prompt_tokens for usage in usages), default=0),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
        cached_tokens=max((usage.cached_tokens for usage in usages), default=0),
        estimated=any(usage.estimated for usage in usages),
    )


def logprobs_of(event: Logprobs) -> dict[str, Any]:
    """Log probabilities in OpenAI's words."""
    return {"content": [logprob_of(token) for token in event.tokens], "refusal": None}


def logprob_of(token: TokenLogprob, *, top: bool = True) -> dict[str, Any]:
    """One token and its log probability, with its alternatives."""
    said: dict[str, Any] = {
        "token": token.token,
        "logprob": token.logprob,
        "bytes": list(token.token.encode("utf-8", "surrogatepass")),
    }
    if top:
        said["top_logprobs"] = [logprob_of(other, top=False) for other in token.top]
    return said
