"""`POST /`: text from an endpoint that runs Hugging Face's inference toolkit (transformers pipelines).

Source: huggingface-inference-toolkit webservice_starlette.py, and the server itself. It takes only what the pipeline
takes, refuses any other parameter with a 400, and cannot stream. Nor does it say what its model is for: one that paints
answers a prompt with a picture, in base64.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

from hfgen.answers import error_of_event, second_reading, unreadable
from hfgen.asked import left_out, rendered
from hfgen.errors import BadPicture
from hfgen.events import Event, FinishReason, ImageResponse, Usage
from hfgen.generation import Generation
from hfgen.picture import picture, unpacked
from hfgen.prompts.budget import estimate
from hfgen.wire import END, Frame, Marker, Named, Target, WireRequest
from hfgen.wire_json import MALFORMED, task_body

PATH: Final = "/"

# The content type must match to the letter: "; charset=utf-8" is refused.
_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}
# `stop` is refused, and matched by hfgen.
_TAKES: Final = frozenset({"temperature", "top_p", "top_k", "repetition_penalty", "stop"})
_WHAT: Final = "generated text"


class _Answer(msgspec.Struct, gc=False):
    generated_text: str | None = None


_Told: TypeAlias = list[_Answer] | _Answer | str

_decoder: Final[msgspec.json.Decoder[_Told]] = msgspec.json.Decoder(_Told)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    asked = generation.sampling
    greedy = asked.temperature == 0 or asked.top_p == 0
    shaped = any(value is not None for value in (asked.temperature, asked.top_p, asked.top_k))
    parameters: dict[str, Any] = {
        "max_new_tokens": asked.max_tokens,
        "return_full_text": False,
        "do_sample": not greedy if shaped else None,  # without it transformers ignores the three below
        "temperature": asked.temperature if not greedy else None,
        "top_p": asked.top_p if not greedy else None,
        "top_k": asked.top_k if not greedy else None,
        "repetition_penalty": asked.repetition_penalty,
    }
    body = task_body(generation.text, parameters, generation.extra)
    return WireRequest(
        target.url(PATH), body, headers=_HEADERS, dropped=left_out(generation, _TAKES | rendered(generation))
    )


def decode(frame: Frame) -> Sequence[Event | WireRequest | Marker]:
    """The whole answer; the toolkit tells neither why it ended nor how many tokens it has.

    Raises:
        HfgenError: The error that the server put into it.
    """
    name, data = (frame.name, frame.data) if isinstance(frame, Named) else ("", frame)
    data = data if isinstance(data, bytes) else data.data
    error = error_of_event(data, name=name)
    if error is not None:
        raise error
    try:
        found = _decoder.decode(data)
    except MALFORMED:
        found = second_reading(data, _decoder, _WHAT)
    if isinstance(found, str):
        return [_picture(found, data), FinishReason("stop"), END]
    answer: _Answer = next(iter(found), _Answer()) if isinstance(found, list) else found
    if answer.generated_text is None:
        raise unreadable(data, _WHAT)
    usage = Usage(completion_tokens=estimate(answer.generated_text), estimated=True)
    return [answer.generated_text, usage, FinishReason("stop"), END]


def _picture(packed: str, data: bytes) -> ImageResponse:
    try:
        painted = unpacked(packed)
    except BadPicture:
        raise unreadable(data, _WHAT) from None
    media, size = picture(painted.data)
    return ImageResponse(media, width=size.width, height=size.height)
