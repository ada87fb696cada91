"""Pictures in the Hugging Face task form: `{"inputs", "parameters"}` in, bytes out.

Spoken by hf-inference under /models/{id} and by the diffusers toolkit. Sources: huggingface_hub
inference/_providers/hf_inference.py, huggingface.js inference/src/providers/hf-inference.ts, recorded answers.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from hfgen.asked import left_out
from hfgen.events import ImageResponse
from hfgen.generation import Generation
from hfgen.media import Media, sniff
from hfgen.picture_answer import Place, body_of, finished, nothing_in, several
from hfgen.wire import Frame, Item, Target, WireRequest
from hfgen.wire_json import MALFORMED, task_body

PATH: Final = ""

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "image/png"}
_TAKES: Final = frozenset(
    {"aspect_ratio", "width", "height", "seed", "negative_prompt", "num_inference_steps", "guidance_scale", "scheduler"}
)


class _Item(msgspec.Struct):
    b64_json: str = ""
    image: str = ""
    url: str = ""


class _Json(msgspec.Struct):
    data: list[_Item] = []
    output: list[str] = []
    images: list[_Item] = []


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


def decode(frame: Frame) -> Sequence[Item]:
    """The picture, its type read from its bytes: the label is wrong at times (recorded: a JPEG for `image/png`).

    Raises:
        HfgenError: An error in place of a picture, or what is no picture at all.
    """
    data = body_of(frame)
    media_type = sniff(data)
    if media_type:
        return finished([ImageResponse(Media(data, media_type))])
    try:
        found = _decoder.decode(data)
    except MALFORMED:
        raise nothing_in(data) from None
    packed = [found] if isinstance(found, str) else [*_packed(found)]
    places = [Place(text) for text in packed if text]
    if not places:
        raise nothing_in(data)
    return finished(several(places))


def _packed(found: _Json) -> Iterator[str]:
    """What the JSON forms hold: `data[].b64_json`, `output[]`, `images[].image` (recorded from hyperbolic)."""
    yield from (item.b64_json or item.url for item in found.data)
    yield from found.output
    yield from (item.image or item.url for item in found.images)
