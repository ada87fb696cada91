"""`POST /v1/completions`: a raw prompt, or several."""

import secrets
import time
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hfgen.events import Usage
from hfgen.gateway.asking import answers
from hfgen.gateway.outbox import STREAM_HEADERS, Outbox
from hfgen.gateway.telling import Events, gathered, stream
from hfgen.gateway.upstream import Upstream
from hfgen.openai_api.arguments import text_arguments
from hfgen.openai_api.chat_chunks import DONE, fault
from hfgen.openai_api.refusal import Refusal
from hfgen.openai_api.schema import TextRequest, read
from hfgen.openai_api.text_chunks import TextChunks, usage_of_prompts, whole

_MOST_ANSWERS: Final = 64  # each is a request of its own to the server behind


async def completions(scope: Scope, receive: Receive, send: Send) -> None:
    """Go on with raw prompts; `n` answers to each, prompt after prompt.

    Raises:
        Refusal: What cannot be answered.
        CallerGone: Nobody hears the answer.
    """
    request = Request(scope, receive)
    upstream: Upstream = request.app.state.upstream
    token: str | None = scope.get("hfgen.token")
    asked = read(await request.body(), TextRequest)
    answer_id, created = f"cmpl-{secrets.token_hex(12)}", int(time.time())
    several = _all_answers(upstream, asked, answer_id, token)
    model = await upstream.name_of(asked.model, token)
    scope["hfgen.model"] = model[:200]
    each = max(1, asked.n or 1)
    if not asked.stream:
        told = await gathered(several, receive)
        body = whole(answer_id, created, model, told, each)
        await Response(body, media_type="application/json")(scope, receive, send)
        return
    with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
    worded = [TextChunks(answer_id, created, model, index, with_usage=with_usage) for index in range(len(several))]

    def end() -> bytes:
        usage = usage_of_prompts([wording.usage or Usage() for wording in worded], each)
        return (worded[0].usage_chunk(usage) if with_usage else b"") + DONE

    fails = partial(fault, request_id=scope.get("hfgen.request_id", ""))
    await stream(list(zip(several, worded, strict=True)), end, fails, Outbox(send, STREAM_HEADERS), receive)


def _all_answers(upstream: Upstream, asked: TextRequest, answer_id: str, token: str | None) -> list[Events]:
    each = text_arguments(asked, upstream.settings.bounds)
    if len(each) * (asked.n or 1) > _MOST_ANSWERS:
        words = f"n: {len(each)} prompts with {asked.n} answers each are more than {_MOST_ANSWERS} in all"
        raise Refusal(400, words, param="n", code="invalid_value")
    return [events for arguments in each for events in answers(upstream, asked, arguments, answer_id, token)]
