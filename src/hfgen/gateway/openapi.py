"""`GET /openapi.json`: the API described, its requests out of the very types that read them."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hfgen.gateway.batches import BatchRequest
from hfgen.gateway.picture_store import PICTURES
from hfgen.gateway.response_schema import ResponsesRequest
from hfgen.gateway.task_schema import TaskRequest
from hfgen.openai_api.schema import ChatRequest, ImageRequest, TextRequest
from hfgen.version import __version__

_JSON: Final = "application/json"
_STREAM: Final = "text/event-stream"
_PICTURE: Final = "image/*"
_BYTES: Final = "application/octet-stream"
_FORM: Final = "multipart/form-data"


class ErrorDetail(msgspec.Struct):
    """What is wrong, and what to do."""

    message: str
    type: str
    param: str | None
    code: str | None
    request_id: str = ""


class ErrorAnswer(msgspec.Struct):
    """An error, as OpenAI words it."""

    error: ErrorDetail


class TaskError(msgspec.Struct):
    """An error, as Hugging Face's task form has it."""

    error: str
    error_type: str = ""
    request_id: str = ""


class UploadForm(msgspec.Struct):
    """The form of `POST /v1/files`."""

    purpose: Literal["batch"]
    file: Annotated[str, msgspec.Meta(extra_json_schema={"contentMediaType": _BYTES})]


@dataclass(frozen=True, slots=True)
class Described:
    """One route; `body` is the type of its request, `takes` its media type, `says` those of the answer."""

    path: str
    summary: str
    body: type[msgspec.Struct] | None = None
    says: tuple[str, ...] = (_JSON,)
    takes: str = _JSON
    method: Literal["", "post", "delete"] = ""

    @property
    def verb(self) -> str:
        """What has a body is a POST, where nothing else is said."""
        return self.method or ("post" if self.body else "get")


ROUTES: Final = (
    Described("/v1/chat/completions", "Answer a conversation.", ChatRequest, (_JSON, _STREAM)),
    Described("/v1/completions", "Go on with raw prompts.", TextRequest, (_JSON, _STREAM)),
    Described("/v1/responses", "Answer a conversation, in OpenAI's newer form.", ResponsesRequest, (_JSON, _STREAM)),
    Described("/v1/prompt", "Show the exact prompt that the model would get.", ChatRequest),
    Described("/v1/images/generations", "Paint.", ImageRequest, (_JSON, _STREAM)),
    Described(f"{PICTURES}{{name}}", "A picture that was made within the hour.", says=(_PICTURE,)),
    Described("/v1/files", "Keep a file for a batch.", UploadForm, takes=_FORM),
    Described("/v1/files", "The files of the caller."),
    Described("/v1/files/{file_id}", "One file."),
    Described("/v1/files/{file_id}", "Delete a file.", method="delete"),
    Described("/v1/files/{file_id}/content", "What is in a file.", says=(_BYTES,)),
    Described("/v1/batches", "Answer every row of a file.", BatchRequest),
    Described("/v1/batches", "The batches of the caller."),
    Described("/v1/batches/{batch_id}", "How a batch stands."),
    Described("/v1/batches/{batch_id}/cancel", "End a batch.", method="post"),
    Described("/v1/models", "The models that may be asked for."),
    Described("/v1/models/{name}", "One model."),
    Described("/", "Text or picture, in the form of Hugging Face's tasks.", TaskRequest, (_JSON, _STREAM, _PICTURE)),
    Described("/models/{name}", "The same, of one model.", TaskRequest, (_JSON, _STREAM, _PICTURE)),
    Described("/health", "Whether the process lives."),
    Described("/ready", "Whether anything behind it can be reached."),
    Described("/metrics", "Figures for Prometheus.", says=("text/plain",)),
    Described("/openapi.json", "This."),
)


async def openapi(_request: Request) -> Response:
    """The description."""
    return Response(document(), media_type=_JSON)


@lru_cache(maxsize=1)
def document() -> bytes:
    """The description as JSON (OpenAPI 3.1)."""
    bodies = [route.body for route in ROUTES if route.body]
    kinds: list[type[msgspec.Struct]] = [*dict.fromkeys(bodies), ErrorAnswer, TaskError]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.verb] = _operation(route, schema_of)
    said: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "hfgen", "version": __version__},
        "security": [{}, {"key": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }
    return msgspec.json.encode(said)


def _operation(route: Described, schema_of: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    form = TaskError if route.body is TaskRequest else ErrorAnswer
    error = {"description": "What is wrong.", "content": {_JSON: {"schema": schema_of[form]}}}
    said: dict[str, Any] = {
        "summary": route.summary,
        "responses": {
            "200": {"description": "The answer.", "content": {kind: {} for kind in route.says}},
            "default": error,
        },
    }
    if names := re.findall(r"\{(\w+)\}", route.path):
        said["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if route.body:
        said["requestBody"] = {"required": True, "content": {route.takes: {"schema": schema_of[route.body]}}}
    return said
