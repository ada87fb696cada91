"""The OpenAI shapes that come over the wire, as every server of that family sends them.

Unknown fields are skipped. What servers disagree about (PROTOCOL: ids that are numbers, arguments that are objects,
content that is a list) is typed as all that was recorded.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from hfgen.events import Event, Finish, FinishReason, Logprobs, Reasoning, TokenLogprob, ToolCallDelta, Usage

# OpenAI's own reasons, and what TGI, together and old servers say for them.
FINISH: Final[Mapping[str, Finish]] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class Function(msgspec.Struct, gc=False):
    """A call's name and arguments; the arguments are JSON text, or the object itself (TGI 1.4)."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class Call(msgspec.Struct, gc=False):
    """A piece of a tool call."""

    index: int | None = None
    id: str | int | None = None
    function: Function | None = None


class Thought(msgspec.Struct, gc=False):
    """A part of Mistral's list content: `{"type": "thinking", "thinking": [{"type": "text", "text": …}]}`."""

    type: str = ""
    text: str = ""
    thinking: str | list["Thought"] = ""


class Delta(msgspec.Struct, gc=False):
    """What a chunk, or a whole message, adds."""

    content: str | list[Thought] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[Call] | Call | None = None


class Top(msgspec.Struct, gc=False):
    """One alternative of a token."""

    token: str = ""
    logprob: float | None = None


class TokenInfo(msgspec.Struct, gc=False):
    """A token, its log probability and its alternatives."""

    token: str = ""
    logprob: float | None = None
    top_logprobs: list[Top] | None = None


class ChatLogprobs(msgspec.Struct, gc=False):
    """Log probabilities of a chunk; the old completions form has other keys, which are skipped."""

    content: list[TokenInfo] | None = None


class Choice(msgspec.Struct, gc=False):
    """One answer of a chunk: `delta` in a stream, `message` in a whole answer, `text` on /v1/completions."""

    index: int = 0
    delta: Delta | None = None
    message: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: ChatLogprobs | None = None


class Details(msgspec.Struct, gc=False):
    """Where the tokens went."""

    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


class UsageInfo(msgspec.Struct, gc=False):
    """Tokens used."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    completion_tokens_details: Details | None = None
    prompt_tokens_details: Details | None = None


class Chunk(msgspec.Struct, gc=False):
    """A chunk of a stream, or a whole answer."""

    choices: list[Choice] | None = None
    usage: UsageInfo | None = None
    error: Any = None
    error_type: str | None = None


def events_of(chunk: Chunk) -> Iterator[Event]:
    """Everything that a chunk says, its end last."""
    finish: Finish | None = None
    for choice in chunk.choices or ():
        if choice.index:
            continue  # one answer is asked for; a server that sends more is not mixed into it
        delta = choice.delta or choice.message
        if delta is not None:
            yield from _delta(delta)
        elif choice.text:  # together says the same text in both
            yield choice.text
        if choice.logprobs is not None and choice.logprobs.content:
            yield Logprobs(tuple(map(_token, choice.logprobs.content)))
        if choice.finish_reason:
            finish = FINISH.get(choice.finish_reason, "stop")
    if chunk.usage is not None:
        yield usage_of(chunk.usage)
    if finish is not None:
        yield FinishReason(finish)


def usage_of(info: UsageInfo) -> Usage:
    """The typed usage; what a server leaves out is 0."""
    out, into = info.completion_tokens_details, info.prompt_tokens_details
    return Usage(
        prompt_tokens=info.prompt_tokens or 0,
        completion_tokens=info.completion_tokens or 0,
        reasoning_tokens=(out.reasoning_tokens or 0) if out else 0,
        cached_tokens=(into.cached_tokens or 0) if into else 0,
    )


def _delta(delta: Delta) -> Iterator[Event]:
    thought = delta.reasoning_content or delta.reasoning
    if thought:
        yield Reasoning(thought)
    if isinstance(delta.content, str):
        if delta.content:
            yield delta.content
    else:
        for part in delta.content or ():
            yield from _part(part)
    if delta.refusal:
        yield delta.refusal
    calls = delta.tool_calls
    for place, call in enumerate([calls] if isinstance(calls, Call) else calls or ()):
        yield _call(place, call)


def _part(part: Thought) -> Iterator[Event]:
    if part.thinking:
        thought = part.thinking if isinstance(part.thinking, str) else "".join(piece.text for piece in part.thinking)
        if thought:
            yield Reasoning(thought)
    elif part.text:
        yield part.text


def _call(place: int, call: Call) -> ToolCallDelta:
    function = call.function or Function()
    arguments = function.arguments
    return ToolCallDelta(
        index=place if call.index is None else call.index,
        id="" if call.id is None else str(call.id),
        name=function.name or "",
        arguments=arguments if isinstance(arguments, str) else _json(arguments),
    )


def _json(arguments: dict[str, Any] | None) -> str:
    return "" if arguments is None else msgspec.json.encode(arguments).decode()


def _token(info: TokenInfo) -> TokenLogprob:
    tops = tuple(TokenLogprob(top.token, _logprob(top.logprob)) for top in info.top_logprobs or ())
    return TokenLogprob(info.token, _logprob(info.logprob), tops)


def _logprob(value: float | None) -> float:
    return -9999.0 if value is None else value  # OpenAI's own word for "too unlikely to say"
