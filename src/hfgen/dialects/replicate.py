"""Replicate: a prediction that is waited for, then asked for by its path.

Sources: huggingface_hub inference/_providers/replicate.py, replicate.com/docs/reference/http, recorded answers: 201
with `processing` and the output already there.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from hfgen.asked import left_out
from hfgen.errors import ServerError
from hfgen.events import Progress
from hfgen.generation import Generation
from hfgen.picture_answer import Place, body_of, failed, finished, job_path, nothing_in, parsed, several
from hfgen.wire import Frame, Item, Target, WireRequest
from hfgen.wire_json import joined_below, request_body

_INTERVAL: Final = 0.5  # seconds, as replicate's own client
_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_TAKES: Final = frozenset(
    {"aspect_ratio", "width", "height", "seed", "negative_prompt", "num_inference_steps", "guidance_scale", "scheduler"}
)


class _Urls(msgspec.Struct):
    get: str = ""
    cancel: str = ""


class _Prediction(msgspec.Struct):
    status: str = ""
    output: str | list[str] | None = None
    urls: _Urls | None = None


_decoder: Final = msgspec.json.Decoder(_Prediction)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for a picture of `generation.prompt`; `Prefer: wait` holds the answer back for up to a minute.

    Raises:
        UsageError: `extra_data` (or its `input`) names a key that an argument of its own sets, or a value is no JSON.
    """
    joined, rest = joined_below("input", _input(generation, target), generation.extra)
    name, _, version = target.model.partition(":")
    path = "/v1/predictions" if version else f"/v1/models/{quote(name)}/predictions"
    headers = {**_HEADERS, "Prefer": "wait"}
    body = request_body({"version": version or None, "input": joined}, rest)
    return WireRequest(target.url(path), body, headers=headers, dropped=left_out(generation, _TAKES))


def decode(frame: Frame) -> Sequence[Item]:
    """The pictures; or how the job stands and the request that asks again.

    Raises:
        HfgenError: The job failed, was cancelled, or is none.
    """
    data = body_of(frame)
    answer = parsed(data, _decoder)
    if answer.status == "failed":
        raise failed(data)
    if answer.status in ("canceled", "aborted"):
        raise ServerError(f"the job was {answer.status} at the provider")
    outputs = [answer.output] if isinstance(answer.output, str) else answer.output
    if outputs:
        return finished(several([Place(output) for output in outputs]))
    if answer.status not in ("starting", "processing", "queued") or answer.urls is None:
        raise nothing_in(data)
    again = WireRequest(
        job_path(answer.urls.get),
        method="GET",
        headers=_HEADERS,
        delay=_INTERVAL,
        cancel=WireRequest(job_path(answer.urls.cancel), headers=_HEADERS) if answer.urls.cancel else None,
    )
    return [Progress("running" if answer.status == "processing" else "queued"), again]


def _input(generation: Generation, target: Target) -> dict[str, Any]:
    """The model's own options, which differ from model to model."""
    asked = generation.picture
    ratio_alone = asked.wish.aspect_ratio and not (asked.wish.width or asked.wish.height)
    return {
        "prompt": generation.text,
        # Most of its own models take a ratio and no size; versions of others the size (their schemas on replicate.com).
        "aspect_ratio": asked.wish.aspect_ratio if ratio_alone and ":" not in target.model else None,
        "width": asked.size.width if asked.size else None,
        "height": asked.size.height if asked.size else None,
        "seed": generation.sampling.seed,
        "negative_prompt": asked.negative_prompt,
        "num_inference_steps": asked.num_inference_steps,
        "guidance_scale": asked.guidance_scale,
        "scheduler": asked.scheduler,
        "lora_weights": f"https://huggingface.co/{generation.model}" if target.adapter else None,
    }
