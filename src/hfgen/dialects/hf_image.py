"""Pictures in the Hugging Face task form: `{"inputs", "parameters"}` in, bytes out.

Spoken by hf-inference under /models/{id} and by the diffusers toolkit. Sources: huggingface_hub
inference/_providers/hf_inference.py, huggingface.js inference/src/providers/hf-inference.ts, recorded answers.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hfgen.answers import error_of_event
from hfgen.errors import ServerError, UsageError
from hfgen.events import Event, FinishReason, ImageResponse
from hfgen.generation import Generation
from hfgen.media import Media, sniff
from hfgen.wire import END, Body, Frame, Marker, Target, WireRequest

PATH: Final = ""

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "image/png"}


class _Item(msgspec.Struct):
    b64_json: str | None = None


class _Json(msgspec.Struct):
    data: list[_Item] = []
    output: list[str] = []


_decoder: Final = msgspec.json.Decoder(str | _Json)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for a picture of `generation.prompt`."""
    asked = generation.picture
    parameters: dict[str, Any] = {
        "width": asked.size.width if asked.size else None,
        "height": asked.size.height if asked.size else None,
        "seed": generation.sampling.seed,
        "negative_prompt": asked.negative_prompt,
        "num_inference_steps": asked.num_inference_steps,
        "guidance_scale": asked.guidance_scale,
        "scheduler": asked.scheduler,
    }
    known = {name: value for name, value in parameters.items() if value is not None}
    extra = dict(generation.extra)
    further: Any = extra.pop("parameters", {})
    clash = (known.keys() & further) | (extra.keys() & {"inputs"})
    if clash:
        raise UsageError(f"extra_data may not set {', '.join(sorted(clash))}: an argument of the call does")
    body = msgspec.json.encode({"inputs": generation.text, "parameters": {**known, **further}, **extra})
    dropped = ("n",) if asked.n > 1 else ()
    return WireRequest(target.url(PATH), body, headers=_HEADERS, dropped=dropped)


def decode(frame: Frame) -> Sequence[Event | WireRequest | Marker]:
    """The picture, its type read from its bytes: the label is wrong at times (recorded: a JPEG for `image/png`).

    Raises:
        HfgenError: An error in place of a picture, or what is no picture at all.
    """
    data = frame.data if isinstance(frame, Body) else bytes(frame[-1] if isinstance(frame, tuple) else frame)
    if not data:
        raise ServerError("the server answered with an empty body in place of a picture")
    if not sniff(data):
        error = error_of_event(data)
        if error is not None:
            raise error
        data = _unpacked(data)
    media_type = sniff(data)
    if not media_type:
        raise ServerError(f"the server's answer is no picture: {data[:60]!r}")
    return [ImageResponse(Media(data, media_type)), FinishReason("stop"), END]


def _unpacked(data: bytes) -> bytes:
    """The base64 inside a JSON answer: a bare string (the toolkit), `data[0].b64_json`, or `output[0]`."""
    try:
        found = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data
    if isinstance(found, str):
        packed = found
    else:
        packed = next((item.b64_json for item in found.data if item.b64_json), "") or next(iter(found.output), "")
    if packed.startswith("data:"):
        packed = packed.partition(",")[2]
    try:
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return data
