"""`POST /v1/images/generations`."""

import time
from contextlib import aclosing
from functools import partial
from operator import attrgetter

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hfgen.errors import HfgenError, UsageError
from hfgen.events import ImageResponse
from hfgen.gateway.about import About
from hfgen.gateway.outbox import STREAM_HEADERS, Outbox
from hfgen.gateway.picture_store import PICTURES, PictureStore, kept
from hfgen.gateway.telling import Events, gathered, stream
from hfgen.gateway.upstream import Upstream
from hfgen.hub.catalogue import DEFAULT_IMAGE_MODEL
from hfgen.openai_api.arguments import image_arguments
from hfgen.openai_api.chat_chunks import DONE, fault
from hfgen.openai_api.image_events import ImageEvents
from hfgen.openai_api.refusal import Refusal, refusal
from hfgen.openai_api.schema import ImageRequest, read


async def images(scope: Scope, receive: Receive, send: Send) -> None:
    """Paint, and answer with the pictures or with their addresses.

    Raises:
        Refusal: What cannot be painted.
        CallerGone: Nobody sees it.
    """
    request = Request(scope, receive)
    upstream: Upstream = request.app.state.upstream
    asked = read(await request.body(), ImageRequest)
    scope["hfgen.model"] = (asked.model or "")[:200]
    store = _store(request, asked)
    events = paint(upstream, asked, scope.get("hfgen.token"))
    if store is not None:
        base = upstream.settings.public_url or str(request.base_url)
        events = kept(events, store, base.rstrip("/") + PICTURES)
    wording = ImageEvents(int(time.time()), address_of=None if store is None else attrgetter("source_url"))
    request_id: str = scope.get("hfgen.request_id", "")
    if not asked.stream:
        failed: list[HfgenError] = []
        told = (await gathered([_what_comes(events, failed)], receive))[0]
        body = wording.whole(told, refusal(failed[0]).said(request_id) if failed else None)
        await Response(body, media_type="application/json")(scope, receive, send)
        return
    fails = partial(fault, request_id=request_id)
    await stream([(events, wording)], lambda: DONE, fails, Outbox(send, STREAM_HEADERS), receive)


def paint(upstream: Upstream, asked: ImageRequest, token: str | None) -> Events:
    """The events of the pictures; nothing is asked before they are iterated.

    Raises:
        Refusal: An argument is impossible.
    """
    arguments = image_arguments(asked, upstream.settings.bounds)
    model = asked.model or ("" if upstream.settings.api_base else DEFAULT_IMAGE_MODEL)
    try:
        return upstream.answer(model, arguments, token, About(choices=arguments["n"], stream=bool(asked.stream)))
    except UsageError as error:
        raise refusal(error) from error


async def _what_comes(events: Events, failed: list[HfgenError]) -> Events:
    """The events; once a picture has come, an error is but their end: what was made, and paid for, is handed out."""
    came = False
    async with aclosing(events):
        try:
            async for batch in events:
                came = came or any(isinstance(event, ImageResponse) for event in batch)
                yield batch
        except HfgenError as error:
            if not came:
                raise
            failed.append(error)


def _store(request: Request, asked: ImageRequest) -> PictureStore | None:
    """Where the pictures go whose addresses were asked for; None where their bytes were."""
    store: PictureStore | None = request.app.state.pictures
    match asked.response_format:
        case None | "b64_json":
            return None
        case "url" if store is not None:
            return store
        case "url":
            raise _refused("response_format", "this gateway keeps no pictures to be fetched; ask for b64_json")
        case _:
            raise _refused("response_format", "it is b64_json or url")


def _refused(field: str, why: str) -> Refusal:
    return Refusal(400, f"{field}: {why}", param=field, code="invalid_value")
