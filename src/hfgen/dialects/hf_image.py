"""Pictures in the Hugging Face task form: `{"inputs", "parameters"}` in, bytes out.

Spoken by hf-inference under /models/{id} and by the diffusers toolkit. Sources: huggingface_hub
inference/_providers/hf_inference.py, huggingface.js inference/src/providers/hf-inference.ts, recorded answers.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hfgen.answers import error_of_event, unreadable
from hfgen.asked import left_out
from hfgen.events import Event, FinishReason, ImageResponse
from hfgen.generation import Generation
from hfgen.media import Media, sniff
from hfgen.wire import END, Frame, Marker, Named, Target, WireRequest
from hfgen.wire_json import MALFORMED, task_body

PATH: Final = ""

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "image/png"}
_TAKES: Final = frozenset(
    {"width", "height", "seed", "negative_prompt", "num_inference_steps", "guidance_scale", "scheduler"}
)


class _Item(msgspec.Struct):
    b64_json: str | None = None


class _Json(msgspec.Struct):
    data: list[_Item] = []
    output: list[str] = []


_decoder: Final = msgspec.json.Decoder(str | _Json)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for a picture of `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    asked = generation.picture
    # The toolkit hands it to a pipeline of diffusers, which ignores it or, as Flux's, refuses it.
    takes = _TAKES - {"scheduler"} if target.kind == "toolkit" else _TAKES
    parameters: dict[str, Any] = {
        "width": asked.size.width if asked.size else None,
        "height": asked.size.height if asked.size else None,
        "seed": generation.sampling.seed,
        "negative_prompt": asked.negative_prompt,
        "num_inference_steps": asked.num_inference_steps,
        "guidance_scale": asked.guidance_scale,
        "scheduler": asked.scheduler if "scheduler" in takes else None,
    }
    body = task_body(generation.text, parameters, generation.extra)
    return WireRequest(target.url(PATH), body, headers=_HEADERS, dropped=left_out(generation, takes))


def decode(frame: Frame) -> Sequence[Event | WireRequest | Marker]:
    """The picture, its type read from its bytes: the label is wrong at times (recorded: a JPEG for `image/png`).

    Raises:
        HfgenError: An error in place of a picture, or what is no picture at all.
    """
    name, data = (frame.name, frame.data) if isinstance(frame, Named) else ("", frame)
    data = data if isinstance(data, bytes) else data.data
    if not sniff(data):
        error = error_of_event(data, name=name)
        if error is not None:
            raise error
    picture = data if sniff(data) else _unpacked(data)
    media_type = sniff(picture)
    if not media_type:
        raise unreadable(data, "a picture")
    return [ImageResponse(Media(picture, media_type)), FinishReason("stop"), END]


def _unpacked(data: bytes) -> bytes:
    """The base64 inside a JSON answer: a bare string (the toolkit), `data[0].b64_json`, or `output[0]`."""
    try:
        found = _decoder.decode(data)
    except MALFORMED:
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
