"""nscale: OpenAI's route, with nothing beside prompt, size and number.

Sources: huggingface_hub inference/_providers/nscale.py, docs.nscale.com (inferencing/create-image).
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


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for pictures of `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    asked = generation.picture
    known: dict[str, Any] = {
        "model": target.model,
        "prompt": generation.text,
        "response_format": "b64_json",
        "n": asked.n if asked.n > 1 else None,
        "size": f"{asked.size.width}x{asked.size.height}" if asked.size else None,
    }
    body = request_body(known, generation.extra)
    return WireRequest(target.url(PATH), body, headers=_HEADERS, dropped=left_out(generation, _TAKES))


def decode(frame: Frame) -> Sequence[Item]:
    """The pictures.

    Raises:
        HfgenError: An error in their place, or none at all.
    """
    return listed(frame)
