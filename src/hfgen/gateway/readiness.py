"""`GET /ready`: whether anything behind the gateway can answer.

It needs no key, so it says yes or no and nothing of what is behind; and however often it is asked, the servers behind
are asked once in a few seconds.
"""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from hfgen.gateway.models import has_engine
from hfgen.gateway.names import routes_of
from hfgen.gateway.settings import Settings
from hfgen.gateway.upstream import Upstream
from hfgen.hub.catalogue import router_endpoint
from hfgen.hub.client import find_token
from hfgen.openai_api.refusal import Refusal
from hfgen.servers.detect import parse_api_base
from hfgen.servers.reach import is_reached

_KEPT: Final = 3.0  # seconds
_NOBODY: Final = "nothing behind this gateway can be reached; try again"


class Readiness:
    """Knows for a few seconds what it has found.

    Args:
        upstream: What is behind the gateway.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._turn = asyncio.Lock()
        self._found = False
        self._until = 0.0

    async def page(self, _request: Request) -> Response:
        """`GET /ready`.

        Raises:
            Refusal: Nothing can be reached.
        """
        loop = asyncio.get_running_loop()
        async with self._turn:
            if loop.time() >= self._until:
                self._found = await self._look()
                self._until = loop.time() + _KEPT
        if not self._found:
            raise Refusal(503, _NOBODY, code="not_ready", retry_after=_KEPT)
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def _look(self) -> bool:
        settings = self._upstream.settings
        looks = [is_reached(self._upstream.session, root) for root in _roots(settings)]
        if not settings.api_base:
            looks.append(self._answers_elsewhere())
        return any(await asyncio.gather(*looks))

    async def _answers_elsewhere(self) -> bool:
        """The local engine, or Hugging Face for whoever has a token."""
        if await asyncio.to_thread(has_engine):
            return True
        settings = self._upstream.settings
        token = settings.pass_through_token or settings.upstream_key or await find_token()
        return bool(token) and await is_reached(self._upstream.session, router_endpoint())


def _roots(settings: Settings) -> set[str]:
    """Every server of one's own: one of them may be down while the others answer."""
    routes = [route for name in settings.names for route in routes_of(name, settings.names)]
    bases = {*settings.api_base, *(route.api_base for route in routes if route.api_base)}
    return {parse_api_base(base).root for base in bases}
