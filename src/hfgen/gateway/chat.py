"""`POST /v1/chat/completions`."""

import secrets
import time
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hfgen.errors import UsageError
from hfgen.gateway.chat_chunks import DONE, ChatChunks, fault, summed, whole
from hfgen.gateway.outbox import Outbox
from hfgen.gateway.refusal import Refusal, refusal
from hfgen.gateway.schema import ChatRequest, read
from hfgen.gateway.settings import Limits
from hfgen.gateway.telling import Events, gathered, stream
from hfgen.gateway.upstream import Upstream

_MOST_ANSWERS: Final = 16
# Options that have the same name here and there.
_AS_THEY_ARE: Final = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "tools",
    "tool_choice",
    "response_format",
    "chat_template_kwargs",
)
STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def chat(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a conversation; a plain ASGI callable, as a stream through a framework's response costs more a token.

    Raises:
        Refusal: What cannot be answered.
    """
    request = Request(scope, receive)
    upstream: Upstream = request.app.state.upstream
    asked = read(await request.body(), ChatRequest)
    answers = _answers(upstream, asked)
    answer_id, created = f"chatcmpl-{secrets.token_hex(12)}", int(time.time())
    model = asked.model or ""
    if not asked.stream:
        events = await gathered(answers, receive)
        await Response(whole(answer_id, created, model, events), media_type="application/json")(scope, receive, send)
        return
    with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
    worded = [ChatChunks(answer_id, created, model, index, with_usage=with_usage) for index in range(len(answers))]

    def end() -> bytes:
        usage = summed([wording.usage for wording in worded if wording.usage])
        return (worded[0].usage_chunk(usage) if with_usage else b"") + DONE

    outbox = Outbox(send, STREAM_HEADERS)
    fails = partial(fault, request_id=scope.get("hfgen.request_id", ""))
    await stream(list(zip(answers, worded, strict=True)), end, fails, outbox, receive)


def _answers(upstream: Upstream, asked: ChatRequest) -> list[Events]:
    """One generator for each of the `n` answers; nothing is asked before it is iterated."""
    count = 1 if asked.n is None else asked.n
    if not 1 <= count <= _MOST_ANSWERS:
        raise Refusal(400, f"n: it must lie between 1 and {_MOST_ANSWERS}", param="n")
    try:
        arguments = _arguments(asked, upstream.settings.limits)
        seed = arguments.pop("seed", None)
        seeds = [None if seed is None else (seed + index) % 2**32 for index in range(count)]
        return [upstream.answer(asked.model or "", {**arguments, "seed": each}) for each in seeds]
    except UsageError as error:
        raise refusal(error) from error


def _arguments(asked: ChatRequest, limits: Limits) -> dict[str, Any]:
    given = {name: getattr(asked, name) for name in _AS_THEY_ARE}
    arguments = {name: value for name, value in given.items() if value is not None}
    longest = asked.max_completion_tokens or asked.max_tokens or limits.max_tokens
    arguments["max_tokens"] = min(longest, limits.max_tokens) if longest and limits.max_tokens else longest
    arguments["messages"] = asked.messages
    if asked.logprobs:
        arguments["logprobs"] = asked.top_logprobs or True
    if asked.continue_final_message:
        arguments["action"] = "continue"
    if asked.parallel_tool_calls is not None and asked.tools:
        arguments["extra_data"] = {"parallel_tool_calls": asked.parallel_tool_calls}
    return arguments
