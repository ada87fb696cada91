"""`/v1/files`: what batches are made of, and what comes of them (openai-python resources/files.py).

What is no coroutine function runs in a thread of Starlette's: it reads the disk.
"""

import asyncio
from typing import Final

import msgspec
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from hfgen.gateway.file_store import FileStore, StoredFile
from hfgen.openai_api.refusal import Refusal

FILES: Final = "/v1/files"


async def upload(request: Request) -> Response:
    """`POST /v1/files`: a form with `file` and `purpose`.

    Raises:
        Refusal: It is no such form.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Refusal(415, "a file is sent as multipart/form-data, with the fields file and purpose", code="no_form")
    async with request.form(max_files=1, max_fields=20) as form:
        purpose, file = form.get("purpose"), form.get("file")
        if purpose != "batch":
            raise Refusal(400, "purpose: files are taken for batches alone: batch", param="purpose")
        if not isinstance(file, UploadFile):
            raise Refusal(400, "file: there is none in the form", param="file")
        kept = await asyncio.to_thread(_store(request).take, file.file, file.filename or "file", owner_of(request))
    return _said(kept.said())


def listed(request: Request) -> Response:
    """`GET /v1/files`: the caller's own, the latest first."""
    files = _store(request).of(owner_of(request))
    wanted = request.query_params.get("purpose")
    said = [file.said() for file in files if wanted in (None, file.purpose)]
    return page(request, said)


def described(request: Request) -> Response:
    """`GET /v1/files/{file_id}`."""
    return _said(_asked(request).said())


def content(request: Request) -> Response:
    """`GET /v1/files/{file_id}/content`, in pieces."""
    file = _asked(request)
    return FileResponse(_store(request).content(file), media_type="application/octet-stream")


def deleted(request: Request) -> Response:
    """`DELETE /v1/files/{file_id}`."""
    file = _asked(request)
    _store(request).delete(file)
    return _said({"id": file.id, "object": "file", "deleted": True})


def owner_of(request: Request) -> str:
    """Whose a file or batch is: the caller's key in a short hash, "" in an open gateway."""
    owner: str = request.scope.get("hfgen.caller", "")
    return owner


def page(request: Request, said: list[dict[str, object]]) -> Response:
    """Part of a list, by `after` and `limit` (openai-python pagination.py: `has_more`, and each has an `id`)."""
    written = request.query_params.get("limit", "20")
    if not (written.isascii() and written.isdigit() and 1 <= int(written[:9]) <= _MOST):
        raise Refusal(400, f"limit: it is a number from 1 to {_MOST}", param="limit", code="invalid_value")
    after = request.query_params.get("after")
    places = {each["id"]: place for place, each in enumerate(said)}
    begin = 0 if after is None else places.get(after, len(said)) + 1
    shown = said[begin : begin + int(written)]
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {"first_id": None, "last_id": None}
    return _said({"object": "list", "data": shown, **ends, "has_more": begin + len(shown) < len(said)})


_MOST: Final = 10_000


def _asked(request: Request) -> StoredFile:
    return _store(request).get(request.path_params["file_id"], owner_of(request))


def _store(request: Request) -> FileStore:
    store: FileStore | None = request.app.state.files
    if store is None:
        raise Refusal(404, "this gateway keeps no files; start it with --batches FOLDER", code="no_files")
    return store


def _said(body: dict[str, object]) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
