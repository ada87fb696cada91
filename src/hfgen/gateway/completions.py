"""`POST /v1/completions`: a raw prompt, or several."""

import secrets
import time
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hfgen.events import Event, Usage
from hfgen.gateway.asking import answers, sampling
from hfgen.gateway.chat_chunks import DONE, fault, summed
from hfgen.gateway.outbox import STREAM_HEADERS, Outbox
from hfgen.gateway.refusal import Refusal
from hfgen.gateway.schema import TextRequest, read
from hfgen.gateway.telling import Events, gathered, stream
from hfgen.gateway.text_chunks import TextChunks, whole
from hfgen.gateway.upstream import Upstream

_MOST_PROMPTS = 64


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
    several = _all_answers(upstream, asked, token)
    answer_id, created = f"cmpl-{secrets.token_hex(12)}", int(time.time())
    model = await upstream.name_of(asked.model, token)
    scope["hfgen.model"] = model[:200]
    each = max(1, asked.n or 1)
    if not asked.stream:
        told = await gathered(several, receive)
        body = whole(answer_id, created, model, told, _usage([_last_usage(events) for events in told], each))
        await Response(body, media_type="application/json")(scope, receive, send)
        return
    with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
    worded = [TextChunks(answer_id, created, model, index, with_usage=with_usage) for index in range(len(several))]

    def end() -> bytes:
        usage = _usage([wording.usage or Usage() for wording in worded], each)
        return (worded[0].usage_chunk(usage) if with_usage else b"") + DONE

    fails = partial(fault, request_id=scope.get("hfgen.request_id", ""))
    await stream(list(zip(several, worded, strict=True)), end, fails, Outbox(send, STREAM_HEADERS), receive)


def _all_answers(upstream: Upstream, asked: TextRequest, token: str | None) -> list[Events]:
    prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    if not 1 <= len(prompts) <= _MOST_PROMPTS:
        raise Refusal(400, f"prompt: give 1 to {_MOST_PROMPTS} of them", param="prompt", code="invalid_value")
    for name in ("suffix", "echo"):
        if getattr(asked, name):
            raise Refusal(400, f"{name}: hfgen's routes have no such thing; leave it out", param=name)
    arguments = sampling(asked, asked.max_tokens if asked.max_tokens is not None else 16, upstream.settings.limits)
    if asked.logprobs is not None:
        arguments["logprobs"] = asked.logprobs or True
    return [
        events
        for prompt in prompts
        for events in answers(upstream, asked, {**arguments, "messages": [], "prompt": prompt, "mode": "raw"}, token)
    ]


def _usage(usages: list[Usage], each: int) -> Usage:
    """Every prompt is counted once, every answer by itself."""
    prompts = [summed(usages[at : at + each]) for at in range(0, len(usages), each)]
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in prompts),
        completion_tokens=sum(usage.completion_tokens for usage in prompts),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in prompts),
        cached_tokens=sum(usage.cached_tokens for usage in prompts),
        estimated=any(usage.estimated for usage in prompts),
    )


def _last_usage(events: list[Event]) -> Usage:
    return next((event for event in reversed(events) if isinstance(event, Usage)), Usage())
