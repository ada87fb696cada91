"""`POST /`: text from an endpoint that runs Hugging Face's inference toolkit (transformers pipelines).

Source: huggingface-inference-toolkit webservice_starlette.py, and the server itself. It takes only what the pipeline
takes, refuses any other parameter with a 400, and cannot stream.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hfgen.answers import error_of_event
from hfgen.errors import ServerError, UsageError
from hfgen.events import Event, FinishReason
from hfgen.generation import Generation
from hfgen.wire import END, Body, Frame, Marker, Target, WireRequest

PATH: Final = "/"

# The content type must match to the letter: "; charset=utf-8" is refused.
_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}


class _Answer(msgspec.Struct, gc=False):
    generated_text: str | None = None


_decoder: Final[msgspec.json.Decoder[list[_Answer] | _Answer]] = msgspec.json.Decoder(list[_Answer] | _Answer)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for `generation.prompt`."""
    asked = generation.sampling
    parameters: dict[str, Any] = {
        "max_new_tokens": asked.max_tokens,
        "return_full_text": False,
        "do_sample": asked.temperature != 0 if asked.temperature is not None else None,
        "temperature": asked.temperature or None,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "repetition_penalty": asked.repetition_penalty,
    }
    known = {name: value for name, value in parameters.items() if value is not None}
    clash = generation.extra.keys() & {"inputs", "parameters"}
    if clash:
        raise UsageError(f"extra_data may not set {', '.join(sorted(clash))}: an argument of the call does")
    absent = {
        "seed": asked.seed,
        "min_p": asked.min_p,
        "presence_penalty": asked.presence_penalty,
        "frequency_penalty": asked.frequency_penalty,
        "logprobs": asked.logprobs,
        "response_format": generation.response_format,
    }
    dropped = tuple(name for name, value in absent.items() if value is not None)
    body = msgspec.json.encode({"inputs": generation.text, "parameters": known, **generation.extra})
    return WireRequest(target.url(PATH), body, headers=_HEADERS, dropped=dropped)


def decode(frame: Frame) -> Sequence[Event | WireRequest | Marker]:
    """The whole answer; the toolkit does not tell why it ended.

    Raises:
        HfgenError: The error that the server put into it.
    """
    data = frame.data if isinstance(frame, Body) else bytes(frame[-1] if isinstance(frame, tuple) else frame)
    error = error_of_event(data)
    if error is not None:
        raise error
    try:
        found = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise ServerError(f"the server's answer is no generated text: {data[:120]!r}") from broken
    answer: _Answer = next(iter(found), _Answer()) if isinstance(found, list) else found
    if answer.generated_text is None:
        raise ServerError(f"the server's answer is no generated text: {data[:120]!r}")
    return [answer.generated_text, FinishReason("stop"), END]
