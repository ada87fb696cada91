"""`GET /v1/models` and `/v1/models/{id}`: what callers may ask for."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hfgen.errors import HfgenError
from hfgen.gateway.names import routes_of
from hfgen.gateway.upstream import Upstream
from hfgen.hub.catalogue import IMAGE_MODELS, IMAGE_TASK, LOCAL, MODEL_ALIASES, POLICIES, TEXT_TASK, Listed, list_models
from hfgen.hub.client import find_token
from hfgen.openai_api.refusal import Refusal
from hfgen.servers.detect import detect, parse_api_base

# OpenAI's answer has the time a model was made, which nobody knows here; clients only want an int.
_CREATED: Final = 0
_log: Final = logging.getLogger("hfgen.gateway")


async def models(request: Request) -> Response:
    """The names of the configuration, then the local model and what the token reaches, or what `api_base` serves."""
    listed = await _listed(request.app.state.upstream, request.scope.get("hfgen.token"))
    return _json({"object": "list", "data": [_entry(model) for model in listed]})


async def model(request: Request) -> Response:
    """One model by its name.

    Raises:
        Refusal: Nobody here serves it.
    """
    name: str = request.path_params["name"]
    base, _, choice = name.partition(":")
    for found in await _listed(request.app.state.upstream, request.scope.get("hfgen.token")):
        if found.id == name:
            return _json(_entry(found))
        if found.id == base and choice in (*POLICIES, *found.providers):
            return _json(_entry(replace(found, id=name)))
    raise Refusal(404, f"the model {name!r} is not served here", param="model", code="model_not_found")


async def _listed(upstream: Upstream, token: str | None) -> list[Listed]:
    settings = upstream.settings
    named = [Listed(name, _task_of(name, settings.names), ("hfgen.toml",)) for name in settings.names]
    if settings.api_base:
        each = await asyncio.gather(*(_served_at(upstream, base) for base in settings.api_base))
        return _distinct([*named, *(model for models in each for model in models)])
    local = [Listed(LOCAL, TEXT_TASK, ("local",))] if await asyncio.to_thread(has_engine) else []
    return _distinct([*named, *local, *await _reached(upstream, token or settings.upstream_key)])


def _task_of(name: str, names: Mapping[str, tuple[str, ...]]) -> str:
    """What the preferred route's model does, by its name: the Hub is not asked for what a list may leave out."""
    model = routes_of(name, names)[0].model.partition(":")[0]
    return IMAGE_TASK if MODEL_ALIASES.get(model, model) in IMAGE_MODELS else TEXT_TASK


async def _served_at(upstream: Upstream, base: str) -> list[Listed]:
    """What a server of one's own lists; a server that is down serves nothing."""
    try:
        facts = await detect(upstream.session, parse_api_base(base), upstream.settings.upstream_key)
    except HfgenError as error:
        _log.warning("%s", error.message)
        return []
    return [Listed(name, TEXT_TASK, (facts.name,)) for name in facts.models]


async def _reached(upstream: Upstream, token: str | None) -> list[Listed]:
    """What Hugging Face's providers serve to the token; nothing without one, as nobody would answer."""
    try:
        token = token or await find_token()
        return await list_models(upstream.session, token) if token else []
    except HfgenError as error:
        _log.warning("%s", error.message)
        return []


def has_engine() -> bool:
    """Whether the local engine is installed and can run here."""
    from hfgen.providers.local import check_engine  # noqa: PLC0415 - an optional, heavy part

    try:
        check_engine()
    except HfgenError:
        return False
    return True


def _distinct(found: Iterable[Listed]) -> list[Listed]:
    first: dict[str, Listed] = {}
    for model in found:
        first.setdefault(model.id, model)
    return list(first.values())


def _entry(model: Listed) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": _CREATED,
        "owned_by": model.providers[0] if model.providers else "huggingface",
        "task": model.task,
        "makes": "image" if model.task == IMAGE_TASK else "text",
    }


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
