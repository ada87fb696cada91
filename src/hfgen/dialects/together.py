"""Together: OpenAI's route with names of its own.

Sources: huggingface_hub inference/_providers/together.py, docs.together.ai (images/generations), a recorded answer.
"""

from collections.abc import Sequence
from typing import Any, Final

from hfgen.asked import left_out
from hfgen.generation import Generation
from hfgen.picture_answer import listed
from hfgen.wire import Frame, Item, Target, WireRequest
from hfgen.wire_json import request_body

PATH: Final = "/images/generations"

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_TAKES: Final = frozenset(
    {"aspect_ratio", "width", "height", "seed", "negative_prompt", "num_inference_steps", "guidance_scale"}
)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for pictures of `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    asked = generation.picture
    known: dict[str, Any] = {
        "model": target.model,
        "prompt": generation.text,
        "response_format": "base64",
        "width": asked.size.width if asked.size else None,
        "height": asked.size.height if asked.size else None,
        "seed": generation.sampling.seed,
        "negative_prompt": asked.negative_prompt,
        "steps": asked.num_inference_steps,
        "guidance_scale": asked.guidance_scale,
    }
    body = request_body(known, generation.extra)
    return WireRequest(target.url(PATH), body, headers=_HEADERS, dropped=left_out(generation, _TAKES))


def decode(frame: Frame) -> Sequence[Item]:
    """The pictures: base64 is asked for, but an address is taken too.

    Raises:
        HfgenError: An error in their place, or none at all.
    """
    return listed(frame)
