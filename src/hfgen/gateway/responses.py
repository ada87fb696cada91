"""`POST /v1/responses`: OpenAI's newer form of a conversation, without its state."""

import secrets
import time
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hfgen.errors import UsageError
from hfgen.gateway.about import About
from hfgen.gateway.outbox import STREAM_HEADERS, Outbox
from hfgen.gateway.response_events import ResponseEvents
from hfgen.gateway.response_input import arguments
from hfgen.gateway.response_schema import ResponsesRequest
from hfgen.gateway.telling import gathered, stream
from hfgen.gateway.upstream import Upstream
from hfgen.openai_api.refusal import refusal
from hfgen.openai_api.schema import read


async def responses(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a conversation; nothing of it is kept.

    Raises:
        Refusal: What cannot be answered.
        CallerGone: Nobody hears the answer.
    """
    request = Request(scope, receive)
    upstream: Upstream = request.app.state.upstream
    token: str | None = scope.get("hfgen.token")
    asked = read(await request.body(), ResponsesRequest)
    about = About(f"resp_{secrets.token_hex(24)}", stream=bool(asked.stream))
    try:
        events = upstream.answer(asked.model or "", arguments(asked, upstream.settings.bounds), token, about)
    except UsageError as error:
        raise refusal(error) from error
    model = await upstream.name_of(asked.model, token)
    scope["hfgen.model"] = model[:200]
    wording = ResponseEvents(_head(about.answer_id, asked, model))
    if asked.stream:
        fails = partial(wording.fault, request_id=scope.get("hfgen.request_id", ""))
        await stream([(events, wording)], wording.end, fails, Outbox(send, STREAM_HEADERS), receive)
        return
    for event in (await gathered([events], receive))[0]:
        wording.chunk(event)
    wording.end()
    body = msgspec.json.encode(wording.response())
    await Response(body, media_type="application/json")(scope, receive, send)


def _head(answer_id: str, asked: ResponsesRequest, model: str) -> dict[str, Any]:
    """What a response repeats of its request (openai-python types/responses/response.py)."""
    form = (asked.text.format if asked.text else None) or {"type": "text"}
    return {
        "id": answer_id,
        "object": "response",
        "created_at": int(time.time()),
        "model": model,
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "metadata": asked.metadata or {},
        "parallel_tool_calls": asked.parallel_tool_calls is not False,
        "previous_response_id": None,
        "store": False,
        "temperature": asked.temperature,
        "text": {"format": form},
        "tool_choice": asked.tool_choice or "auto",
        "tools": asked.tools or [],
        "top_p": asked.top_p,
        "truncation": "disabled",
    }
