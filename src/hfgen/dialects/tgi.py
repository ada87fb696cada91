"""`POST /generate_stream`: TGI's own language, which hf-inference speaks under /models/{id} too.

Sources: text-generation-inference router/src/{lib,server,validation}.rs and docs/openapi.json.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from hfgen.answers import error_of_event
from hfgen.errors import ServerError, UsageError
from hfgen.events import Event, Finish, FinishReason, Usage
from hfgen.generation import Generation
from hfgen.wire import END, Body, Frame, Marker, Named, Target, WireRequest

PATH: Final = "/generate_stream"

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
_MOST_STOPS: Final = 4  # launcher's default for --max-stop-sequences; the rest is matched by the client
_FINISH: Final[Mapping[str, Finish]] = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}


class _Token(msgspec.Struct, gc=False):
    text: str = ""
    special: bool = False


class _Details(msgspec.Struct, gc=False):
    finish_reason: str = ""
    generated_tokens: int = 0
    input_length: int | None = None


class _Piece(msgspec.Struct, gc=False):
    token: _Token | None = None
    generated_text: str | None = None
    details: _Details | None = None
    error: Any = None
    error_type: str | None = None


_decoder: Final = msgspec.json.Decoder(_Piece)
_whole_decoder: Final[msgspec.json.Decoder[list[_Piece] | _Piece]] = msgspec.json.Decoder(list[_Piece] | _Piece)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets.
    """
    asked = generation.sampling
    greedy = asked.temperature == 0
    parameters: dict[str, Any] = {
        "do_sample": not greedy,  # absent means greedy once there are parameters, and then a seed counts for nothing
        "details": True,
        "return_full_text": False,
        "max_new_tokens": asked.max_tokens,
        "temperature": asked.temperature or None,  # 0 is refused
        "top_p": asked.top_p if asked.top_p is not None and 0 < asked.top_p < 1 else None,  # 0 and 1 are refused
        "top_k": asked.top_k or None,
        "seed": asked.seed,
        "stop": list(asked.stop[:_MOST_STOPS]) or None,
        "repetition_penalty": asked.repetition_penalty or None,
        "frequency_penalty": asked.frequency_penalty,
        "grammar": _grammar(generation.response_format),
    }
    known = {name: value for name, value in parameters.items() if value is not None}
    extra = dict(generation.extra)
    more: object = extra.pop("parameters", {})
    further = dict(cast("Mapping[str, Any]", more)) if isinstance(more, Mapping) else {}
    clash = (known.keys() & further.keys()) | (extra.keys() & {"inputs", "stream"})
    if clash:
        raise UsageError(f"extra_data may not set {', '.join(sorted(clash))}: an argument of the call does")
    body = {"inputs": generation.text, "parameters": known | further, "stream": True, **extra}
    absent = {"min_p": asked.min_p, "presence_penalty": asked.presence_penalty}
    tools = generation.tools and not generation.messages
    dropped = tuple(name for name, value in absent.items() if value is not None) + (("tools",) if tools else ())
    return WireRequest(target.url(PATH), msgspec.json.encode(body), headers=_HEADERS, dropped=dropped)


def decode(frame: Frame) -> Sequence[Event | WireRequest | Marker]:
    """What one event of the stream, or a whole answer, says.

    A special token is the model's markup, not its text. `generated_text` is the end; without details (an old server, or
    one that was not asked) its reason is not told, and `stop` is what remains.

    Raises:
        HfgenError: The error that the server put into it; TGI answers 200 even for a refused request.
    """
    match frame:
        case Body(_, data):
            return _whole(data)
        case Named(_, data):
            return _piece(data)
        case _:
            return _piece(frame)


def _piece(data: bytes) -> Sequence[Event | Marker]:
    if data.startswith(b"[DONE]"):
        return (END,)
    if not data.strip():
        return ()
    try:
        piece = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(f"the server sent what is no token: {data[:120]!r} ({error})") from error
    token = piece.token
    if token is not None and piece.generated_text is None and piece.error is None:
        return () if token.special or not token.text else (token.text,)
    if piece.error is not None or piece.error_type:
        raise error_of_event(data) or ServerError(f"the server reports an error: {data[:120]!r}")
    if token is None and piece.generated_text is None and piece.details is None:
        raise ServerError(f"the server sent what is no token: {data[:120]!r}")
    text: list[Event] = [token.text] if token is not None and token.text and not token.special else []
    return [*text, *_end(piece)]


def _end(piece: _Piece) -> list[Event | Marker]:
    details = piece.details
    if details is None:
        return [FinishReason("stop"), END]
    usage = Usage(prompt_tokens=details.input_length or 0, completion_tokens=details.generated_tokens)
    return [usage, FinishReason(_FINISH.get(details.finish_reason, "stop")), END]


def _whole(data: bytes) -> Sequence[Event | Marker]:
    error = error_of_event(data)
    if error is not None:
        raise error
    try:
        found = _whole_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise ServerError(f"the server's answer is no generated text: {data[:120]!r}") from broken
    piece: _Piece = next(iter(found), _Piece()) if isinstance(found, list) else found
    if piece.generated_text is None:
        raise ServerError(f"the server's answer is no generated text: {data[:120]!r}")
    return [piece.generated_text, *_end(piece)]


def _grammar(asked: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """OpenAI's `response_format` as TGI's grammar."""
    schema: object = (asked or {}).get("json_schema")
    if not isinstance(schema, Mapping):
        return None
    known = cast("Mapping[str, Any]", schema)
    return {"type": "json", "value": known.get("schema", known)}
