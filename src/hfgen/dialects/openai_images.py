"""`POST /v1/images/generations`: pictures from whoever speaks OpenAI's language.

Source: OpenAI's API reference; vLLM-Omni and SGLang add diffusion options at the top level under their diffusers names.
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
_TAKES: Final = frozenset({"aspect_ratio", "width", "height", "n"})
_DIFFUSION: Final = frozenset({"seed", "negative_prompt", "num_inference_steps", "guidance_scale"})
_DIFFUSERS: Final = frozenset({"vllm", "sglang"})  # OpenAI itself refuses a key that it does not know


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for pictures of `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    asked = generation.picture
    known: dict[str, Any] = {
        "model": target.model or None,
        "prompt": generation.text,
        "n": asked.n if asked.n > 1 else None,
        "size": f"{asked.size.width}x{asked.size.height}" if asked.size else None,
    }
    takes = _TAKES
    if target.kind in _DIFFUSERS:
        takes |= _DIFFUSION
        known |= {
            "seed": generation.sampling.seed,
            "negative_prompt": asked.negative_prompt,
            "num_inference_steps": asked.num_inference_steps,
            "guidance_scale": asked.guidance_scale,
        }
    body = request_body(known, generation.extra)
    return WireRequest(target.url(PATH), body, headers=_HEADERS, dropped=left_out(generation, takes))


def decode(frame: Frame) -> Sequence[Item]:
    """The pictures, as base64 or by their addresses.

    Raises:
        HfgenError: An error in their place, or none at all.
    """
    return listed(frame)
