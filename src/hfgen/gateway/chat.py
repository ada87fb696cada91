"""`POST /v1/chat/completions`."""

import secrets
import time
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hfgen.gateway.asking import answers
from hfgen.gateway.outbox import STREAM_HEADERS, Outbox
from hfgen.gateway.prompt import inspected
from hfgen.gateway.telling import gathered, stream
from hfgen.gateway.upstream import Upstream
from hfgen.openai_api.arguments import chat_arguments
from hfgen.openai_api.chat_chunks import DONE, ChatChunks, fault, summed, whole
from hfgen.openai_api.schema import ChatRequest, read


async def chat(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a conversation; a plain ASGI callable, as a stream through a framework's response costs more a token.

    Raises:
        Refusal: What cannot be answered.
        CallerGone: Nobody hears the answer.
    """
    request = Request(scope, receive)
    upstream: Upstream = request.app.state.upstream
    token: str | None = scope.get("hfgen.token")
    asked = read(await request.body(), ChatRequest)
    if asked.prompt_inspect:
        await (await inspected(upstream, asked, token))(scope, receive, send)
        return
    answer_id, created = f"chatcmpl-{secrets.token_hex(12)}", int(time.time())
    several = answers(upstream, asked, chat_arguments(asked, upstream.settings.bounds), answer_id, token)
    model = await upstream.name_of(asked.model, token)
    scope["hfgen.model"] = model[:200]
    if not asked.stream:
        body = whole(answer_id, created, model, await gathered(several, receive))
        await Response(body, media_type="application/json")(scope, receive, send)
        return
    with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
    worded = [ChatChunks(answer_id, created, model, index, with_usage=with_usage) for index in range(len(several))]

    def end() -> bytes:
        usage = summed([wording.usage for wording in worded if wording.usage])
        return (worded[0].usage_chunk(usage) if with_usage else b"") + DONE

    fails = partial(fault, request_id=scope.get("hfgen.request_id", ""))
    await stream(list(zip(several, worded, strict=True)), end, fails, Outbox(send, STREAM_HEADERS), receive)
