"""WaveSpeed: a job that is asked for by its path until it is done.

Sources: huggingface_hub inference/_providers/wavespeed.py, huggingface.js src/providers/wavespeed.ts, the models'
schemas on wavespeed.ai (`size` is width*height).
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from hfgen.answers import error_of_answer
from hfgen.asked import left_out
from hfgen.events import Progress
from hfgen.generation import Generation
from hfgen.picture_answer import Place, body_of, failed, finished, job_path, nothing_in, parsed, several
from hfgen.wire import Frame, Item, Target, WireRequest
from hfgen.wire_json import request_body

_INTERVAL: Final = 0.5  # seconds, as both of Hugging Face's clients
_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_TAKES: Final = frozenset(
    {"aspect_ratio", "width", "height", "seed", "negative_prompt", "num_inference_steps", "guidance_scale"}
)


class _Urls(msgspec.Struct):
    get: str = ""


class _Job(msgspec.Struct):
    status: str = ""
    urls: _Urls | None = None
    outputs: list[str] | None = None
    error: str | None = None


class _Answer(msgspec.Struct):
    code: int = 200
    data: _Job | None = None


_decoder: Final = msgspec.json.Decoder(_Answer)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for a picture of `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    asked = generation.picture
    known: dict[str, Any] = {
        "prompt": generation.text,
        "size": f"{asked.size.width}*{asked.size.height}" if asked.size else None,
        "seed": generation.sampling.seed,
        "negative_prompt": asked.negative_prompt,
        "num_inference_steps": asked.num_inference_steps,
        "guidance_scale": asked.guidance_scale,
        "loras": [{"path": generation.model, "scale": 1}] if target.adapter else None,
    }
    body = request_body(known, generation.extra)
    url = target.url(f"/api/v3/{quote(target.model)}")
    return WireRequest(url, body, headers=_HEADERS, dropped=left_out(generation, _TAKES))


def decode(frame: Frame) -> Sequence[Item]:
    """The pictures; or how the job stands and the request that asks again.

    Raises:
        HfgenError: The job failed, or the answer is an error (its `code`, inside a 200).
    """
    data = body_of(frame)
    answer = parsed(data, _decoder)
    if 400 <= answer.code < 600:  # noqa: PLR2004
        raise error_of_answer(answer.code, {}, data)
    job = answer.data or _Job()
    if job.status == "failed":
        raise failed({"error": job.error})
    if job.status == "completed" and job.outputs:
        return finished(several([Place(output) for output in job.outputs]))
    if job.status in ("created", "processing") and job.urls is not None:
        stage = Progress("queued" if job.status == "created" else "running")
        return [stage, WireRequest(job_path(job.urls.get), method="GET", headers=_HEADERS, delay=_INTERVAL)]
    raise nothing_in(data)
