"""`POST /v1/prompt`: the exact prompt that a model gets in a conversation, in place of its answer."""

import hashlib
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hfgen.errors import HfgenError
from hfgen.gateway.upstream import Upstream
from hfgen.openai_api.arguments import chat_arguments
from hfgen.openai_api.refusal import refusal
from hfgen.openai_api.schema import ChatRequest, read
from hfgen.prompts.inputs import pieces_of, source_of, template_name
from hfgen.providers.inspection import Inspected


async def prompt(request: Request) -> Response:
    """Show what the model would get; nothing is generated.

    Raises:
        Refusal: What cannot be shown.
    """
    upstream: Upstream = request.app.state.upstream
    asked = read(await request.body(), ChatRequest)
    return await inspected(upstream, asked, request.scope.get("hfgen.token"))


async def inspected(upstream: Upstream, asked: ChatRequest, token: str | None) -> Response:
    """The prompt of a chat.

    Raises:
        Refusal: What cannot be shown.
    """
    arguments = chat_arguments(asked, upstream.settings.bounds)
    try:
        seen = await upstream.inspect(asked.model or "", arguments, token)
        tokens = await upstream.count(seen)
    except HfgenError as error:
        raise refusal(error) from error
    return Response(msgspec.json.encode(_body(seen, tokens)), media_type="application/json")


def _body(seen: Inspected, tokens: int | None) -> dict[str, Any]:
    """The prompt, whole and in pieces, and where it comes from: a template, a family's layout, the server."""
    pieces = list(pieces_of(seen.prompt, seen.asked, seen.facts))
    source = source_of(seen.asked, seen.facts)
    return {
        "object": "prompt",
        "model": seen.asked.model,
        "prompt": seen.prompt,
        "pieces": [{"text": text, "special": special} for text, special in pieces],
        "special_tokens": list(dict.fromkeys(text for text, special in pieces if special)),
        "token_count": tokens,
        "template": seen.rendered_by or seen.facts.template_source,
        "template_name": template_name(seen.asked, seen.facts) if source else None,
        "template_sha256": hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest() if source else None,
        "family": None if source or seen.rendered_by else seen.facts.family or "unknown",
        "trimmed": seen.trimmed or None,
    }
