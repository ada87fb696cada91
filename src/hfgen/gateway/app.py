"""The gateway as an ASGI app, which runs by itself (`hfgen serve`) or mounted in an app of one's own."""

import contextlib
from collections.abc import AsyncGenerator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from hfgen.errors import UsageError
from hfgen.gateway import batches, files
from hfgen.gateway.allowance import OwnAllowance
from hfgen.gateway.batch_store import BatchStore
from hfgen.gateway.batch_work import BatchWork
from hfgen.gateway.chat import chat
from hfgen.gateway.completions import completions
from hfgen.gateway.file_store import FileStore
from hfgen.gateway.guard import Guard
from hfgen.gateway.handlers import HANDLERS, Porch, Raw
from hfgen.gateway.images import images
from hfgen.gateway.journal import Journal
from hfgen.gateway.meters import Meters
from hfgen.gateway.models import model, models
from hfgen.gateway.openapi import openapi
from hfgen.gateway.page import PAGE
from hfgen.gateway.picture_folder import PictureFolder
from hfgen.gateway.picture_store import PICTURES, PicturesInMemory, PictureStore, shown
from hfgen.gateway.prompt import prompt
from hfgen.gateway.readiness import Readiness
from hfgen.gateway.responses import responses
from hfgen.gateway.settings import Settings
from hfgen.gateway.shares import Allowance, Shares
from hfgen.gateway.tasks import tasks
from hfgen.gateway.tracing import with_spans
from hfgen.gateway.upstream import Upstream
from hfgen.transport.session import Session


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The gateway.

    Args:
        settings: How it answers, and whom; the defaults suit one user on this machine.
    """
    chosen = settings or Settings()
    session = Session()  # opens nothing before its first use; in a mounted app nobody runs `lifespan`
    meters = Meters()
    allowance = _allowance(chosen)
    upstream = Upstream(chosen, session)
    work = _batches(chosen, upstream)

    @contextlib.asynccontextmanager
    async def running(_app: Starlette) -> AsyncGenerator[None, None]:
        async with session, contextlib.aclosing(allowance):
            if work is not None:
                await work.take_up()
            yield
            if work is not None:
                await work.close()

    app = Starlette(
        routes=_routes(meters, Readiness(upstream)),
        exception_handlers=HANDLERS,
        lifespan=running,
    )
    # A redirect to the path without its slash would name the last proxy's scheme: a key would go over plain http.
    app.router.redirect_slashes = False
    app.state.upstream = upstream
    app.state.batches = work
    app.state.files = work.files if work is not None else None
    app.state.pictures = _pictures(chosen)
    return Journal(with_spans(Porch(Guard(Shares(app, allowance), chosen))), meters)


def _routes(meters: Meters, readiness: Readiness) -> list[BaseRoute]:
    return [
        Route("/v1/chat/completions", Raw(chat), methods=["POST"]),
        Route("/v1/completions", Raw(completions), methods=["POST"]),
        Route("/v1/responses", Raw(responses), methods=["POST"]),
        Route("/v1/prompt", prompt, methods=["POST"]),
        Route("/v1/images/generations", Raw(images), methods=["POST"]),
        Route(PICTURES + "{name}", shown, methods=["GET"]),
        Route(files.FILES, files.upload, methods=["POST"]),
        Route(files.FILES, files.listed, methods=["GET"]),
        Route(files.FILES + "/{file_id}", files.described, methods=["GET"]),
        Route(files.FILES + "/{file_id}", files.deleted, methods=["DELETE"]),
        Route(files.FILES + "/{file_id}/content", files.content, methods=["GET"]),
        Route(batches.BATCHES, batches.create, methods=["POST"]),
        Route(batches.BATCHES, batches.listed, methods=["GET"]),
        Route(batches.BATCHES + "/{batch_id}", batches.described, methods=["GET"]),
        Route(batches.BATCHES + "/{batch_id}/cancel", batches.cancel, methods=["POST"]),
        Route("/v1/models", models, methods=["GET"]),
        Route("/v1/models/{name:path}", model, methods=["GET"]),
        *PAGE,
        Route("/", Raw(tasks), methods=["POST"]),
        Route("/models/{name:path}", Raw(tasks), methods=["POST"]),
        Route("/health", health, methods=["GET"]),
        Route("/ready", readiness.page, methods=["GET"]),
        Route("/openapi.json", openapi, methods=["GET"]),
        Route("/metrics", meters.page, methods=["GET"]),
    ]


def _batches(settings: Settings, upstream: Upstream) -> BatchWork | None:
    """None too where each caller brings a token of its own: it would have to be written down for a day."""
    if settings.batches is None or settings.pass_through_token:
        return None
    return BatchWork(BatchStore(settings.batches), FileStore(settings.batches), upstream)


def _allowance(settings: Settings) -> Allowance:
    if not settings.shared_limits:
        return OwnAllowance(settings.limits)
    try:
        from hfgen.gateway.redis_allowance import RedisAllowance  # noqa: PLC0415 - an optional part
    except ImportError as error:
        raise UsageError(f"shared limits need {error.name}", hint="pip install 'hfgen[redis]'") from error
    return RedisAllowance(settings.shared_limits, settings.limits)


async def health(_request: Request) -> Response:
    """Whether the process lives."""
    return Response(b'{"status":"ok"}', media_type="application/json")


def _pictures(settings: Settings) -> PictureStore | None:
    if not settings.pictures_kept:
        return None
    if settings.pictures_folder is None:
        return PicturesInMemory(settings.pictures_kept)
    return PictureFolder(settings.pictures_folder, settings.pictures_kept)
