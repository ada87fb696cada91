"""The OpenAI shapes that come over the wire, as every server of that family sends them.

Unknown fields are skipped. What servers disagree about (PROTOCOL: ids that are numbers, arguments that are objects,
content that is a list) is typed as all that was recorded.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import msgspec

from hfgen.errors import ServerError
from hfgen.events import Event, Finish, FinishReason, Logprobs, Reasoning, TokenLogprob, ToolCallDelta, Usage
from hfgen.finish_reasons import finish_of
from hfgen.server_words import words_of

_UNSAID: Final = -9999.0  # OpenAI's own word for "too unlikely to say"


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
    """Log probabilities of a chunk: `content` on the chat route, three lists on /v1/completions (OpenAI's old form)."""

    content: list[TokenInfo] | None = None
    tokens: Any = None
    token_logprobs: Any = None
    top_logprobs: Any = None


class Choice(msgspec.Struct, gc=False):
    """One answer of a chunk: `delta` in a stream, `message` in a whole answer, `text` on /v1/completions."""

    index: int | None = 0
    delta: Delta | None = None
    message: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: ChatLogprobs | None = None
    error: Any = None


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


def events_of(chunk: Chunk) -> Sequence[Event]:
    """Everything that a chunk says, its end last.

    Raises:
        HfgenError: The server says, beside the text or as its reason to end, that it failed.
    """
    choices = chunk.choices or ()
    if len(choices) == 1 and chunk.usage is None and (text := _only_text(choices[0])):
        return (text,)
    events: list[Event] = []
    finish: Finish | None = None
    for choice in choices:
        if choice.index and not choice.error:
            continue  # one answer is asked for; a server that sends more is not mixed into it
        finish = _choice(choice, events) or finish
    if chunk.usage is not None:
        events.append(usage_of(chunk.usage))
    if finish is not None:
        events.append(FinishReason(finish))
    return events


def _choice(choice: Choice, events: list[Event]) -> Finish | None:
    """Add what a choice says; its reason to end, if it has one."""
    if choice.error:  # OpenRouter's form for a whole answer, with any reason to end
        raise ServerError(f"the server failed: {words_of({'error': choice.error})}", status=500)
    delta = choice.delta or choice.message
    if delta is not None:
        _delta(delta, events)
    elif choice.text:  # together says the same text in both
        events.append(choice.text)
    if choice.logprobs is not None and (tokens := tuple(_tokens(choice.logprobs))):
        events.append(Logprobs(tokens))
    return finish_of(choice.finish_reason) if choice.finish_reason else None


def _only_text(choice: Choice) -> str | None:
    """The text of a choice that holds nothing else, as nearly all do: it has to be quick."""
    delta = choice.delta
    if delta is None or choice.index or choice.finish_reason or choice.logprobs is not None or choice.error:
        return None
    if delta.tool_calls or delta.reasoning_content or delta.reasoning or delta.refusal:
        return None
    return delta.content if isinstance(delta.content, str) else None


def usage_of(info: UsageInfo) -> Usage:
    """The typed usage; what a server leaves out is 0."""
    out, into = info.completion_tokens_details, info.prompt_tokens_details
    return Usage(
        prompt_tokens=info.prompt_tokens or 0,
        completion_tokens=info.completion_tokens or 0,
        reasoning_tokens=(out.reasoning_tokens or 0) if out else 0,
        cached_tokens=(into.cached_tokens or 0) if into else 0,
    )


def _delta(delta: Delta, events: list[Event]) -> None:
    thought = delta.reasoning_content or delta.reasoning
    if thought:
        events.append(Reasoning(thought))
    if isinstance(delta.content, str):
        if delta.content:
            events.append(delta.content)
    elif delta.content:
        for part in delta.content:
            events.extend(_part(part))
    if delta.refusal:
        events.append(delta.refusal)
    if delta.tool_calls:
        calls = [delta.tool_calls] if isinstance(delta.tool_calls, Call) else delta.tool_calls
        events.extend(_call(place, call) for place, call in enumerate(calls))


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


def _tokens(logprobs: ChatLogprobs) -> Iterator[TokenLogprob]:
    if logprobs.content:
        yield from map(_token, logprobs.content)
        return
    tops = _list(logprobs.top_logprobs)
    for place, (token, value) in enumerate(zip(_list(logprobs.tokens), _list(logprobs.token_logprobs), strict=False)):
        found: object = tops[place] if place < len(tops) else None
        alternatives = cast("dict[str, object]", found).items() if isinstance(found, dict) else ()
        yield TokenLogprob(
            str(token), _logprob(value), tuple(TokenLogprob(name, _logprob(likely)) for name, likely in alternatives)
        )


def _token(info: TokenInfo) -> TokenLogprob:
    tops = tuple(TokenLogprob(top.token, _logprob(top.logprob)) for top in info.top_logprobs or ())
    return TokenLogprob(info.token, _logprob(info.logprob), tops)


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _logprob(value: object) -> float:
    """A log probability; None is OpenAI's word for the first token, and what is no number says nothing either."""
    return float(value) if isinstance(value, (int, float)) and _UNSAID < value <= 0 else _UNSAID
