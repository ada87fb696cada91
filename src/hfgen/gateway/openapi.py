"""`GET /openapi.json`: the API described, its requests out of the very types that read them."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hfgen.gateway.picture_store import PICTURES
from hfgen.gateway.response_schema import ResponsesRequest
from hfgen.gateway.task_schema import TaskRequest
from hfgen.openai_api.schema import ChatRequest, ImageRequest, TextRequest
from hfgen.version import __version__

_JSON: Final = "application/json"
_STREAM: Final = "text/event-stream"
_PICTURE: Final = "image/*"


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


@dataclass(frozen=True, slots=True)
class Described:
    """One route; `body` is the type of its request, `says` the media types of its answer."""

    path: str
    summary: str
    body: type[msgspec.Struct] | None = None
    says: tuple[str, ...] = (_JSON,)


ROUTES: Final = (
    Described("/v1/chat/completions", "Answer a conversation.", ChatRequest, (_JSON, _STREAM)),
    Described("/v1/completions", "Go on with raw prompts.", TextRequest, (_JSON, _STREAM)),
    Described("/v1/responses", "Answer a conversation, in OpenAI's newer form.", ResponsesRequest, (_JSON, _STREAM)),
    Described("/v1/prompt", "Show the exact prompt that the model would get.", ChatRequest),
    Described("/v1/images/generations", "Paint.", ImageRequest, (_JSON, _STREAM)),
    Described(f"{PICTURES}{{name}}", "A picture that was made within the hour.", says=(_PICTURE,)),
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
        paths.setdefault(route.path, {})["post" if route.body else "get"] = _operation(route, schema_of)
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
        said["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema_of[route.body]}}}
    return said
