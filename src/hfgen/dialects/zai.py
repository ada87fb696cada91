"""Z.ai: a task that is asked for by its id every five seconds.

Sources: huggingface_hub inference/_providers/zai_org.py, docs.z.ai (images, asynchronous).
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hfgen.asked import left_out
from hfgen.events import Progress
from hfgen.generation import Generation
from hfgen.picture_answer import Place, body_of, failed, finished, job_path, nothing_in, parsed, several
from hfgen.wire import Again, Frame, Item, Target, WireRequest
from hfgen.wire_json import request_body

_INTERVAL: Final = 5.0  # seconds, as Hugging Face's client
_HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Language": "en-US,en",
    "x-source-channel": "hugging_face",
}
_TAKES: Final = frozenset({"aspect_ratio", "width", "height"})


class _Image(msgspec.Struct):
    url: str = ""


class _Task(msgspec.Struct):
    id: str = ""
    task_status: str = ""
    image_result: list[_Image] | None = None


_decoder: Final = msgspec.json.Decoder(_Task)


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for a picture of `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    size = generation.picture.size
    known: dict[str, Any] = {"model": target.model, "prompt": generation.text}
    if size is not None:
        known["size"] = f"{size.width}x{size.height}"
    body = request_body(known, generation.extra)
    url = target.url("/api/paas/v4/async/images/generations")
    return WireRequest(url, body, headers=_HEADERS, dropped=left_out(generation, _TAKES))


def decode(frame: Frame) -> Sequence[Item]:
    """The picture; or that the task still runs, and the request that asks again.

    Raises:
        HfgenError: The task failed, or the answer is none.
    """
    data = body_of(frame)
    task = parsed(data, _decoder)
    if task.task_status == "FAIL":
        raise failed(data)
    found = [Place(image.url) for image in task.image_result or [] if image.url]
    if found:
        return finished(several(found))
    if task.task_status != "PROCESSING":
        raise nothing_in(data)
    if not task.id:  # an answer about a task need not name it again
        return [Progress("running"), Again(_INTERVAL)]
    path = job_path(f"/api/paas/v4/async-result/{task.id}")
    return [Progress("running"), WireRequest(path, method="GET", headers=_HEADERS, delay=_INTERVAL)]
