"""fal: a queue whose jobs are asked for by path, or the picture at once.

Sources: huggingface_hub inference/_providers/fal_ai.py, huggingface.js src/providers/fal-ai.ts (`?_subdomain=queue`
makes the router hand a request to queue.fal.run), docs.fal.ai on its queue, a recorded answer of the direct form.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from hfgen.asked import left_out
from hfgen.events import FinishReason, Progress
from hfgen.generation import Generation
from hfgen.picture_answer import Place, body_of, failed, filtered, finished, job_path, nothing_in, parsed, several
from hfgen.wire import END, Frame, Item, Target, WireRequest
from hfgen.wire_json import request_body

_QUEUE: Final = "?_subdomain=queue"
_INTERVAL: Final = 0.5  # seconds, as both of Hugging Face's clients
_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_TAKES: Final = frozenset(
    {
        "aspect_ratio",
        "width",
        "height",
        "seed",
        "negative_prompt",
        "num_inference_steps",
        "guidance_scale",
        "scheduler",
    }
)
_WAITING: Final = frozenset({"IN_QUEUE", "IN_PROGRESS"})
_LORA_ON_SDXL: Final = "fal-ai/lora"
_SDXL: Final = "stabilityai/stable-diffusion-xl-base-1.0"


class _Image(msgspec.Struct):
    url: str = ""


class _Answer(msgspec.Struct):
    """All three: a job's receipt, its state, and what came of it."""

    status: str = ""
    response_url: str = ""
    queue_position: int | None = None
    error: str | None = None
    images: list[_Image] | None = None
    seed: int | None = None
    has_nsfw_concepts: list[bool] | None = None


_decoder: Final = msgspec.json.Decoder(_Answer)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for a picture of `generation.prompt`, to be queued.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    asked = generation.picture
    known: dict[str, Any] = {
        "prompt": generation.text,
        "image_size": {"width": asked.size.width, "height": asked.size.height} if asked.size else None,
        "seed": generation.sampling.seed,
        "negative_prompt": asked.negative_prompt,
        "num_inference_steps": asked.num_inference_steps,
        "guidance_scale": asked.guidance_scale,
        "scheduler": asked.scheduler,
        **_adapter(generation, target),
    }
    body = request_body(known, generation.extra)
    url = target.url(f"/{quote(target.model)}{_QUEUE}")
    return WireRequest(url, body, headers=_HEADERS, dropped=left_out(generation, _TAKES))


def decode(frame: Frame) -> Sequence[Item]:
    """The pictures; or how the job stands and the request that asks again.

    A receipt and a state look alike, so each leads to the next request by its own `response_url`.

    Raises:
        HfgenError: An error in place of a picture; all pictures withheld by the safety checker.
    """
    data = body_of(frame)
    answer = parsed(data, _decoder)
    if answer.images:
        return _pictures(answer)
    if answer.error:
        raise failed(data)
    if answer.status == "COMPLETED":
        return [WireRequest(job_path(answer.response_url) + _QUEUE, method="GET", headers=_HEADERS)]
    if answer.status in _WAITING:
        return _waiting(answer)
    raise nothing_in(data)


def _waiting(answer: _Answer) -> Sequence[Item]:
    path = job_path(answer.response_url)
    again = WireRequest(
        f"{path}/status{_QUEUE}",
        method="GET",
        headers=_HEADERS,
        delay=_INTERVAL,
        cancel=WireRequest(f"{path}/cancel{_QUEUE}", method="PUT", headers=_HEADERS),
    )
    if answer.status == "IN_PROGRESS":
        return [Progress("running"), again]
    return [Progress("queued", position=answer.queue_position), again]


def _pictures(answer: _Answer) -> Sequence[Item]:
    """A picture that the safety checker flags comes as a black one: it is left out, and the end says so."""
    flags = answer.has_nsfw_concepts or []
    images = answer.images or []
    clean = [image for index, image in enumerate(images) if not (index < len(flags) and flags[index])]
    if not clean:
        raise filtered("the safety checker flags every picture (has_nsfw_concepts)")
    pictures = several([Place(image.url, answer.seed) for image in clean])
    return finished(pictures) if len(clean) == len(images) else [*pictures, FinishReason("content_filter"), END]


def _adapter(generation: Generation, target: Target) -> dict[str, Any]:
    """The LoRA's weights by their address; what was trained on SDXL does not say so, hence `model_name`."""
    if not target.adapter:
        return {}
    path = f"https://huggingface.co/{generation.model}/resolve/main/{quote(target.adapter)}"
    base = {"model_name": _SDXL} if target.model == _LORA_ON_SDXL else {}
    return {"loras": [{"path": path, "scale": 1}], **base}
