"""`/v1/batches`: many requests in a file, answered in time (openai-python resources/batches.py).

What is no coroutine function runs in a thread of Starlette's: it reads the disk.
"""

import asyncio
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hfgen.batch.job import Url
from hfgen.gateway.batch_store import Batch
from hfgen.gateway.batch_work import BatchWork
from hfgen.gateway.files import owner_of, page
from hfgen.openai_api.refusal import Refusal
from hfgen.openai_api.schema import read

BATCHES: Final = "/v1/batches"
_MOST_PAIRS: Final = 16  # of metadata (openai-python types/shared_params/metadata.py)


class BatchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/batches`."""

    input_file_id: str
    endpoint: Url
    completion_window: str = "24h"
    metadata: dict[str, str] | None = None


async def create(request: Request) -> Response:
    """Begin a batch; it is looked through, and then answered, while the caller asks how it stands.

    Raises:
        Refusal: There is no such file, or no such kind of batch.
    """
    work = _work(request)
    asked = read(await request.body(), BatchRequest)
    if asked.completion_window != "24h":
        raise Refusal(400, "completion_window: it is 24h", param="completion_window", code="invalid_value")
    if len(asked.metadata or {}) > _MOST_PAIRS:
        raise Refusal(400, f"metadata: at most {_MOST_PAIRS} pairs", param="metadata", code="invalid_value")
    owner = owner_of(request)
    file = await asyncio.to_thread(work.files.get, asked.input_file_id, owner)
    batch = await asyncio.to_thread(work.store.new, asked.endpoint, file.id, asked.metadata, owner)
    work.begin(batch)
    return _said(batch)


def listed(request: Request) -> Response:
    """`GET /v1/batches`: the caller's own, the latest first."""
    batches = _work(request).store.all()
    return page(request, [batch.said() for batch in batches if batch.owner == owner_of(request)])


def described(request: Request) -> Response:
    """`GET /v1/batches/{batch_id}`."""
    return _said(_asked(request))


async def cancel(request: Request) -> Response:
    """`POST /v1/batches/{batch_id}/cancel`: answers that are had are kept.

    Raises:
        Refusal: It has ended already.
    """
    batch = await asyncio.to_thread(_asked, request)
    if batch.over:
        raise Refusal(409, f"the batch is {batch.status}: there is nothing to cancel", code="batch_over")
    return _said(await _work(request).cancel(batch))


def _asked(request: Request) -> Batch:
    work = _work(request)
    return work.live(work.store.get(request.path_params["batch_id"], owner_of(request)))


def _work(request: Request) -> BatchWork:
    work: BatchWork | None = request.app.state.batches
    if work is None:
        raise Refusal(404, "this gateway runs no batches; start it with --batches FOLDER", code="no_batches")
    return work


def _said(batch: Batch) -> Response:
    return Response(msgspec.json.encode(batch.said()), media_type="application/json")
