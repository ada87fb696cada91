"""`POST /v1/chat/completions`: OpenAI's language, and how each server departs from it.

Sources: openai-python types/chat; TGI router/src/{lib,server,chat}.rs; vLLM entrypoints/openai/protocol.py; llama.cpp
tools/server/README.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from hfgen.answers import error_of_event
from hfgen.errors import ServerError, UsageError
from hfgen.events import Event
from hfgen.generation import Generation
from hfgen.openai_types import Chunk, events_of
from hfgen.wire import END, Body, Frame, Marker, Named, ServerKind, Target, WireRequest

PATH: Final = "/chat/completions"

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
_OPENAI: Final = frozenset(
    {"temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty", "logprobs"}
)
_ENGINE: Final = _OPENAI | {"top_k", "min_p", "repetition_penalty"}
# What each server takes; the rest of what was asked is left out and named (`WireRequest.dropped`).
_TAKES: Final[Mapping[ServerKind, frozenset[str]]] = {
    "tgi": _OPENAI,
    "vllm": _ENGINE,
    "sglang": _ENGINE,
    "llamacpp": _ENGINE,
    "transformers": frozenset({"temperature", "top_p", "seed", "stop", "frequency_penalty"}),
}

_decoder: Final = msgspec.json.Decoder(Chunk)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for a conversation.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets.
    """
    sampling, dropped = _sampling(generation, target.kind)
    body: dict[str, Any] = {
        # TGI takes any other name for a LoRA adapter's (router/src/lib.rs).
        "model": "tgi" if target.kind == "tgi" else target.model,
        "messages": list(generation.messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        **sampling,
        **_form(generation, target.kind),
    }
    if generation.continues and target.kind != "transformers":  # it refuses what it does not know
        body |= {"continue_final_message": True, "add_generation_prompt": False}
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
    if isinstance(frame, bytes):
        return _read(frame)
    match frame:
        case Named(name, data) if name == "error":
            raise error_of_event(data, name=name) or ServerError("the server reports an error without a word")
        case Named(_, data):
            return _read(data)
        case Body(media_type, data):
            return [*_whole(media_type, data), END]


def _read(data: bytes) -> Sequence[Event | WireRequest | Marker]:
    if data.startswith(b"[DONE]"):
        return (END,)
    if not data.strip():
        return ()  # a keep-alive in the form of an empty event
    chunk = _chunk(data)
    if chunk.error is not None or chunk.error_type:
        error = error_of_event(data)
        if error is not None:
            raise error
    return list(events_of(chunk))


def _whole(media_type: str, data: bytes) -> Iterator[Event]:
    if not data.strip():
        raise ServerError("the server answered with an empty body")
    error = error_of_event(data)
    if error is not None:
        raise error
    if "html" in media_type or data.lstrip()[:1] == b"<":
        raise ServerError(
            "the server answered with a web page in place of a stream", hint="Is api_base the address of the API?"
        )
    chunk = _chunk(data)
    if not chunk.choices:
        raise ServerError(f"the server's answer holds no choices: {data[:120]!r}")
    yield from events_of(chunk)


def _chunk(data: bytes) -> Chunk:
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(f"the server sent what is no chat chunk: {data[:120]!r} ({error})") from error


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
        "logprobs": True if asked.logprobs is not None else None,
    }
    given = {name: value for name, value in named.items() if value is not None}
    dropped = tuple(sorted(given.keys() - takes))
    body = {name: value for name, value in given.items() if name in takes}
    if kind == "tgi" and not 0 < body.get("top_p", 0.5) < 1:
        del body["top_p"]  # TGI refuses 0 and 1 (validation.rs); 1 is what it does anyway
    if "repetition_penalty" in body and kind == "llamacpp":
        body["repeat_penalty"] = body.pop("repetition_penalty")
    if asked.logprobs:
        body["top_logprobs"] = asked.logprobs
    if asked.max_tokens is not None:
        body["max_tokens"] = asked.max_tokens
    return body, dropped


def _form(generation: Generation, kind: ServerKind) -> dict[str, Any]:
    """Tools, the answer's format, and what the server's own template is told."""
    form: dict[str, Any] = {}
    if generation.tools:
        form["tools"] = list(generation.tools)
    if generation.tool_choice is not None:
        form["tool_choice"] = generation.tool_choice
    if generation.response_format is not None:
        form["response_format"] = _format(generation.response_format, kind)
    if generation.template_kwargs:
        form["chat_template_kwargs"] = dict(generation.template_kwargs)
    return form


def _format(asked: Mapping[str, Any], kind: ServerKind) -> Mapping[str, Any]:
    """OpenAI's `json_schema` form; TGI wants the schema under `value` (infer/chat_template, lib.rs GrammarType)."""
    schema: object = asked.get("json_schema")
    if kind != "tgi" or not isinstance(schema, dict):
        return asked
    known = cast("dict[str, Any]", schema)
    return {"type": "json_object", "value": known.get("schema", known)}
