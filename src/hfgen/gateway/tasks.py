"""`POST /` and `POST /models/{name}`: the Hugging Face task form, so that huggingface_hub's task methods find a server.

What is asked for, a text or a picture, is told by the `Accept` header, as huggingface_hub sends it, or by a parameter
that only one of the two has.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hfgen.errors import UsageError
from hfgen.events import Event, ImageResponse
from hfgen.gateway.about import About
from hfgen.gateway.heads import LEFT_OUT
from hfgen.gateway.images import paint
from hfgen.gateway.outbox import STREAM_HEADERS, Outbox
from hfgen.gateway.picture_store import AS_A_PICTURE
from hfgen.gateway.settings import Limits
from hfgen.gateway.task_chunks import TaskChunks, fault, whole
from hfgen.gateway.task_schema import Grammar, TaskParameters, TaskRequest
from hfgen.gateway.telling import Events, gathered, stream
from hfgen.gateway.upstream import Upstream
from hfgen.openai_api.chat_chunks import left_out_of
from hfgen.openai_api.refusal import Refusal, refusal
from hfgen.openai_api.schema import ImageRequest, read

_LONGEST: Final = 100  # tokens: what TGI writes where nobody says
_AS_THEY_ARE: Final = ("temperature", "top_p", "top_k", "seed", "repetition_penalty", "frequency_penalty", "strict")
_OF_PICTURES: Final = ("width", "height", "negative_prompt", "num_inference_steps", "guidance_scale", "scheduler")
_NOT_HERE: Final = ("adapter_id", "decoder_input_details", "top_n_tokens", "truncate", "typical_p", "watermark")


async def tasks(scope: Scope, receive: Receive, send: Send) -> None:
    """Go on with a text, or paint.

    Raises:
        Refusal: What cannot be answered.
        CallerGone: Nobody hears the answer.
    """
    request = Request(scope, receive)
    asked = read(await request.body(), TaskRequest)
    scope["hfgen.model"] = _model(request)[:200]
    given = asked.parameters or TaskParameters()
    answer = _picture if _wants_picture(request, given) else _text
    await answer(request, asked, given, send)


async def _text(request: Request, asked: TaskRequest, given: TaskParameters, send: Send) -> None:
    prefix = asked.inputs if given.return_full_text else ""
    events = _continued(request, asked, given)
    if not asked.stream:
        told = (await gathered([events], request.receive))[0]
        body = whole(told, prefix, given.seed, details=bool(given.details))
        said = Response(body, headers=_left_out(told), media_type="application/json")
        await said(request.scope, request.receive, send)
        return
    wording = TaskChunks(prefix, given.seed)
    fails = partial(fault, request_id=request.scope.get("hfgen.request_id", ""))
    await stream([(events, wording)], wording.end, fails, Outbox(send, STREAM_HEADERS), request.receive)


async def _picture(request: Request, asked: TaskRequest, given: TaskParameters, send: Send) -> None:
    options = {name: getattr(given, name) for name in _OF_PICTURES}
    wanted = ImageRequest(prompt=asked.inputs, model=_model(request), seed=given.seed, strict=given.strict, **options)
    events = paint(request.app.state.upstream, wanted, request.scope.get("hfgen.token"))
    told = (await gathered([events], request.receive))[0]
    for event in told:
        if isinstance(event, ImageResponse):
            headers = {**AS_A_PICTURE, **_left_out(told)}
            made = Response(event.media.data, headers=headers, media_type=event.media.media_type)
            await made(request.scope, request.receive, send)
            return
    raise Refusal(502, "the model ended without a picture", code="no_picture")


def _left_out(told: Iterable[Event]) -> dict[str, str]:
    """The options that the answer was made without, in a header: a picture and TGI's list have no place for them."""
    names = left_out_of([told]).get("left_out")
    return {LEFT_OUT: ", ".join(names)} if names else {}


def _continued(request: Request, asked: TaskRequest, given: TaskParameters) -> Events:
    upstream: Upstream = request.app.state.upstream
    arguments = _arguments(given, upstream.settings.limits)
    token: str | None = request.scope.get("hfgen.token")
    about = About(stream=bool(asked.stream))
    try:
        return upstream.answer(_model(request), {"messages": [], "prompt": asked.inputs, **arguments}, token, about)
    except UsageError as error:
        raise refusal(error) from error


def _arguments(given: TaskParameters, limits: Limits) -> dict[str, Any]:
    for name in _NOT_HERE:
        if getattr(given, name):
            raise _refused(name, "hfgen's routes have no such thing; leave it out")
    if given.best_of is not None and given.best_of > 1:
        raise _refused("best_of", "one answer is made; leave it out")
    if given.max_new_tokens is not None and given.max_new_tokens < 1:
        raise _refused("max_new_tokens", "it must be at least 1")
    asks = _LONGEST if given.max_new_tokens is None else given.max_new_tokens
    found: dict[str, Any] = {name: getattr(given, name) for name in _AS_THEY_ARE}
    found |= {
        "mode": "raw",
        "max_tokens": asks if limits.max_tokens is None else min(asks, limits.max_tokens),
        "stop": given.stop or given.stop_sequences,
        "logprobs": 1 if given.details else None,  # llama.cpp tells none where no alternatives are asked for
        "response_format": _response_format(given.grammar),
    }
    if given.do_sample is False:
        found["temperature"] = 0
    return {name: value for name, value in found.items() if value is not None}


def _response_format(grammar: Grammar | None) -> dict[str, Any] | None:
    if grammar is None:
        return None
    if grammar.type not in ("json", "json_schema") or isinstance(grammar.value, str):
        raise _refused("grammar", "a JSON schema, of type json or json_schema, can be had")
    schema = grammar.value.get("schema", grammar.value) if grammar.type == "json_schema" else grammar.value
    return {"type": "json_schema", "json_schema": {"name": "grammar", "schema": schema}}


def _wants_picture(request: Request, given: TaskParameters) -> bool:
    asks = request.headers.get("accept", "").lstrip().startswith("image/")
    return asks or any(getattr(given, name) is not None for name in _OF_PICTURES)


def _model(request: Request) -> str:
    return str(request.path_params.get("name", ""))


def _refused(name: str, why: str) -> Refusal:
    field = f"parameters.{name}"
    return Refusal(400, f"{field}: {why}", param=field, code="invalid_value")
