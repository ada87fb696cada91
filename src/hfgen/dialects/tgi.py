"""`POST /generate_stream`: TGI's own language, which hf-inference speaks under /models/{id} too.

Sources: text-generation-inference router/src/{lib,server,validation}.rs and docs/openapi.json.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from hfgen.answers import error_of_event, second_reading, unreadable
from hfgen.asked import left_out, rendered
from hfgen.errors import ServerError
from hfgen.events import Event, FinishReason, Logprobs, TokenLogprob, Usage
from hfgen.finish_reasons import finish_of
from hfgen.generation import Generation
from hfgen.wire import END, LARGEST_TEXT, Body, Frame, Marker, Named, Target, Whole, WireRequest
from hfgen.wire_json import MALFORMED, holds_json, task_body

PATH: Final = "/generate_stream"

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
_MOST_STOPS: Final = 4  # launcher's default for --max-stop-sequences; the rest is matched by the client
_TAKES: Final = frozenset(
    {"temperature", "top_p", "top_k", "seed", "stop", "repetition_penalty", "frequency_penalty", "logprobs"}
)


class _Token(msgspec.Struct, gc=False):
    text: str = ""
    special: bool | None = False


class _Scored(msgspec.Struct, gc=False):
    text: str = ""
    logprob: float | None = None


class _Details(msgspec.Struct, gc=False):
    finish_reason: str | None = None
    generated_tokens: int | None = None
    input_length: int | None = None


class _Piece(msgspec.Struct, gc=False):
    token: _Token | None = None
    generated_text: str | None = None
    details: _Details | None = None
    top_tokens: list[_Scored] | None = None
    error: Any = None
    error_type: str | None = None


class _Alone(msgspec.Struct, gc=False):
    token: _Scored


_decoder: Final = msgspec.json.Decoder(_Piece)
_scores: Final = msgspec.json.Decoder(_Alone)
_whole_decoder: Final[msgspec.json.Decoder[list[_Piece] | _Piece]] = msgspec.json.Decoder(list[_Piece] | _Piece)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    asked = generation.sampling
    greedy = asked.temperature == 0 or asked.top_p == 0  # it refuses both; one token to choose from is greedy too
    parameters: dict[str, Any] = {
        "do_sample": not greedy,  # absent means greedy once there are parameters, and then a seed counts for nothing
        "details": True,
        "return_full_text": False,
        "max_new_tokens": asked.max_tokens,
        "temperature": asked.temperature or None,
        "top_p": asked.top_p if asked.top_p is not None and 0 < asked.top_p < 1 else None,  # 1 is what it does anyway
        "top_k": asked.top_k or None,
        "seed": asked.seed,
        "stop": list(asked.stop[:_MOST_STOPS]) or None,
        "repetition_penalty": asked.repetition_penalty or None,
        "frequency_penalty": asked.frequency_penalty,
        # Only with this do the alternatives come, and `decode` knows by them that log probabilities were asked for.
        "top_n_tokens": None if asked.logprobs is None else max(1, asked.logprobs),
        "grammar": _grammar(generation.response_format),
        "adapter_id": target.adapter or None,
    }
    body = task_body(generation.text, parameters, generation.extra, stream=True)
    takes = _TAKES | rendered(generation)
    if parameters["grammar"] is not None or (generation.response_format or {}).get("type") == "text":
        takes |= {"response_format"}
    if asked.repetition_penalty == 0:
        takes -= {"repetition_penalty"}  # refused: it divides by it
    return WireRequest(
        target.url(PATH), body, headers=_HEADERS, dropped=left_out(generation, takes), largest=LARGEST_TEXT
    )


def decode(frame: Frame) -> Sequence[Event | Whole | Marker]:
    """What one event of the stream, or a whole answer, says.

    A special token is the model's markup, not its text. `generated_text` is the end; without details (an old server, or
    one that was not asked) its reason is not told, and `stop` is what remains. Its text is that of the tokens, but not
    to the letter (a first space is missing), so it counts only where there were none.

    Raises:
        HfgenError: The error that the server put into it; TGI answers 200 even for a refused request.
    """
    if isinstance(frame, bytes):
        return _event(frame)
    match frame:
        case Named("error", data):
            raise error_of_event(data, name="error") or ServerError("the server reports an error without a word")
        case Named(_, data):
            return _event(data) if holds_json(data) else ()
        case Body(_, data):
            return _whole(data)


def _event(data: bytes) -> Sequence[Event | Whole | Marker]:
    try:
        piece = _decoder.decode(data)
    except MALFORMED:
        if data.startswith(b"[DONE]"):
            return (END,)
        if not data.strip():
            return ()
        piece = second_reading(data, _decoder, "a token")
    token = piece.token
    if token is None or piece.error is not None or piece.error_type is not None:
        error = error_of_event(data)
        if error is not None:
            raise error
        if token is None and piece.generated_text is None and piece.details is None:
            if data.strip() == b"{}":
                return ()  # a keep-alive
            raise unreadable(data, "a token")
    text = token.text if token is not None and not token.special else ""
    events: list[Event | Whole | Marker] = [text] if text else []
    if piece.top_tokens is not None and text:
        events.append(_logprobs(data, piece.top_tokens))
    if piece.generated_text is not None or piece.details is not None:
        events += _end(piece)
    return events


def _logprobs(data: bytes, alternatives: list[_Scored]) -> Logprobs:
    """The token's own log probability is read only here: it comes with every token, whether asked for or not."""
    try:
        token = _scores.decode(data).token
    except MALFORMED:
        token = second_reading(data, _scores, "a token").token
    tops = tuple(TokenLogprob(top.text, _likely(top)) for top in alternatives)
    return Logprobs((TokenLogprob(token.text, _likely(token), tops),))


def _likely(scored: _Scored) -> float:
    return -9999.0 if scored.logprob is None else scored.logprob  # OpenAI's own word for "too unlikely to say"


def _end(piece: _Piece) -> list[Event | Whole | Marker]:
    whole = [Whole(piece.generated_text)] if piece.generated_text else []
    details = piece.details
    if details is None:
        return [*whole, FinishReason("stop"), END]
    usage = Usage(prompt_tokens=details.input_length or 0, completion_tokens=details.generated_tokens or 0)
    return [*whole, usage, FinishReason(finish_of(details.finish_reason or "") or "stop"), END]


def _whole(data: bytes) -> Sequence[Event | Whole | Marker]:
    error = error_of_event(data)
    if error is not None:
        raise error
    try:
        found = _whole_decoder.decode(data)
    except MALFORMED:
        found = second_reading(data, _whole_decoder, "generated text")
    piece: _Piece = next(iter(found), _Piece()) if isinstance(found, list) else found
    if piece.generated_text is None:
        raise unreadable(data, "generated text")
    return _end(piece)


def _grammar(asked: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """OpenAI's `response_format` as TGI's grammar; None for `json_object` alone, since a grammar needs a schema."""
    if asked is None or ("value" in asked and "type" in asked):
        return asked
    schema: object = asked.get("json_schema")
    if not isinstance(schema, Mapping):
        return None
    known = cast("Mapping[str, Any]", schema)
    return {"type": "json", "value": known.get("schema", known)}
