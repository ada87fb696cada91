"""`POST /v1/completions`: a raw prompt in OpenAI's language.

Sources: openai-python types/completion; vLLM entrypoints/openai/protocol.py (`add_special_tokens`); TGI server.rs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from hfgen.answers import error_of_event
from hfgen.errors import ServerError, UsageError
from hfgen.events import Event
from hfgen.generation import Generation
from hfgen.openai_types import Chunk, events_of
from hfgen.wire import END, Body, Frame, Marker, Named, ServerKind, Target, WireRequest

PATH: Final = "/completions"

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
_OPENAI: Final = frozenset(
    {"temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty", "logprobs"}
)
_ENGINE: Final = _OPENAI | {"top_k", "min_p", "repetition_penalty"}
_TAKES: Final[Mapping[ServerKind, frozenset[str]]] = {
    "vllm": _ENGINE,
    "sglang": _ENGINE,
    "llamacpp": _ENGINE,
}

_decoder: Final = msgspec.json.Decoder(Chunk)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a form that only a chat route has.
    """
    sampling, dropped = _sampling(generation, target.kind)
    body: dict[str, Any] = {
        "model": target.model,
        "prompt": generation.text,
        "stream": True,
        "stream_options": {"include_usage": True},
        **sampling,
    }
    if target.kind == "vllm" and generation.messages:
        body["add_special_tokens"] = False  # the rendered template has brought its own
    clash = body.keys() & generation.extra.keys()
    if clash:
        raise UsageError(f"extra_data may not set {', '.join(sorted(clash))}: an argument of the call does")
    data = msgspec.json.encode(body | dict(generation.extra))
    return WireRequest(target.url(PATH), data, headers=_HEADERS, dropped=dropped)


def decode(frame: Frame) -> Sequence[Event | WireRequest | Marker]:
    """What one event of the stream, or a whole answer, says.

    Raises:
        HfgenError: The error that the server put into it.
    """
    match frame:
        case Named("error", data):
            raise error_of_event(data, name="error") or ServerError("the server reports an error without a word")
        case Named(_, data):
            return _read(data)
        case Body(_, data):
            return [*_read(data, whole=True), END]
        case _:
            return _read(frame)


def _read(data: bytes, *, whole: bool = False) -> Sequence[Event | Marker]:
    if data.startswith(b"[DONE]"):
        return (END,)
    if not data.strip() and not whole:
        return ()
    try:
        chunk = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        known = error_of_event(data)
        raise known or ServerError(f"the server sent what is no completion: {data[:120]!r} ({error})") from error
    if chunk.error is not None or chunk.error_type or (whole and not chunk.choices):
        raise error_of_event(data) or ServerError(f"the server's answer holds no choices: {data[:120]!r}")
    return list(events_of(chunk))


def _sampling(generation: Generation, kind: ServerKind) -> tuple[dict[str, Any], tuple[str, ...]]:
    asked = generation.sampling
    takes = _TAKES.get(kind, _OPENAI)
    named: dict[str, Any] = {
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "min_p": asked.min_p,
        "seed": asked.seed,
        "stop": list(asked.stop) or None,
        "presence_penalty": asked.presence_penalty,
        "frequency_penalty": asked.frequency_penalty,
        "repetition_penalty": asked.repetition_penalty,
        "logprobs": asked.logprobs,
        "tools": list(generation.tools or ()) or None,
        "tool_choice": generation.tool_choice,
        "response_format": generation.response_format,
    }
    if generation.messages:
        del named["tools"]  # the template has written them into the prompt
    given = {name: value for name, value in named.items() if value is not None}
    body = {name: value for name, value in given.items() if name in takes}
    if "repetition_penalty" in body and kind == "llamacpp":
        body["repeat_penalty"] = body.pop("repetition_penalty")
    if asked.max_tokens is not None:
        body["max_tokens"] = asked.max_tokens
    return body, tuple(sorted(given.keys() - takes))
